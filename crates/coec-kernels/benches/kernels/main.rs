//! How long each kernel takes on the CPU, at the sizes it has in models S and M of tests/bench.
//!
//! `cargo bench --bench kernels`, at the root and without `-p`; behind `--` a part of a name picks some, as
//! `experts` or `S`. RAYON_NUM_THREADS says how many threads.
//!
//! A kernel with a backward pass is measured twice: `forward`, without a tape, and `both` passes on one. A new
//! kernel is a function here and its name in the group below.

mod measure;
mod sizes;

use burn::tensor::{Int, Tensor};
use coec_kernels::{
    Activation, AdamWStep, Mixing, Pairing, Precision, adamw, attention, experts, head_cross_entropy, linear,
    mlp, rms_norm, rotate, select_top_k, sum_of_squares,
};
use criterion::{Criterion, criterion_group, criterion_main};
use measure::{Kernel, Make, Work};
use sizes::{SIZES, Size};

/// FLOPs of an expert for a row: three products of width and hidden width.
fn of_a_row(size: &Size, hidden: usize) -> u64 {
    6 * (size.dim * hidden) as u64
}

fn routed_experts(criterion: &mut Criterion) {
    for size in &SIZES {
        let Size { dim, experts: pool, selected, hidden, .. } = *size;
        let tokens = size.tokens();
        let work = Work::Flops((tokens * selected) as u64 * of_a_row(size, hidden));
        Kernel { name: "experts", size: size.name, work }.both(
            criterion,
            |make: &Make| {
                let indices: Tensor<2, Int> = select_top_k(make.constant([tokens, pool]), selected);
                let w_in = make.float([pool, 2 * hidden, dim]);
                let w_out = make.float([pool, dim, hidden]);
                (make.float([tokens, dim]), indices, make.float([tokens, selected]), w_in, w_out)
            },
            |(x, indices, gates, w_in, w_out)| {
                experts(x, indices, gates, w_in, w_out, None, Activation::Swiglu, Precision::F32)
            },
        );
    }
}

fn shared_expert(criterion: &mut Criterion) {
    for size in &SIZES {
        let Size { dim, hidden, .. } = *size;
        let work = Work::Flops(size.tokens() as u64 * of_a_row(size, hidden));
        Kernel { name: "mlp", size: size.name, work }.both(
            criterion,
            |make: &Make| {
                let (w_in, w_out) = (make.float([2 * hidden, dim]), make.float([dim, hidden]));
                (make.float([size.tokens(), dim]), w_in, w_out)
            },
            |(x, w_in, w_out)| mlp(x, w_in, w_out, None, Activation::Swiglu, Precision::F32),
        );
    }
}

fn norm(criterion: &mut Criterion) {
    for size in &SIZES {
        let shape = [size.tokens(), size.dim];
        Kernel { name: "rms_norm", size: size.name, work: Work::elements(shape) }.both(
            criterion,
            |make: &Make| (make.float(shape), make.float([size.dim])),
            |(x, weight)| rms_norm(x, weight, 1e-6),
        );
    }
}

fn causal_attention(criterion: &mut Criterion) {
    const BLOCK: usize = 64;
    for size in &SIZES {
        let width = size.dim / size.heads;
        let shape = [size.sequences, size.context, size.heads, width];
        // Scores and mix, each query with the keys that its block sees.
        let pairs = size.context * (size.context + BLOCK) / 2;
        let work = Work::Flops((4 * size.sequences * size.heads * pairs * width) as u64);
        Kernel { name: "attention", size: size.name, work }.both(
            criterion,
            |make: &Make| (make.float(shape), make.float(shape), make.float(shape)),
            |(q, k, v)| {
                let mixing = Mixing { scale: 0.125, window: None, block: BLOCK, precision: Precision::F32 };
                attention(q, k, v, None, mixing)
            },
        );
    }
}

fn projection(criterion: &mut Criterion) {
    for size in &SIZES {
        let work = Work::Flops((2 * size.tokens() * size.dim * size.dim) as u64);
        Kernel { name: "linear", size: size.name, work }.both(
            criterion,
            |make: &Make| (make.float([size.tokens(), size.dim]), make.float([size.dim, size.dim])),
            |(x, weight)| linear(x, weight, Precision::F32),
        );
    }
}

fn head(criterion: &mut Criterion) {
    for size in &SIZES {
        let (tokens, classes) = (size.tokens(), size.vocab);
        let work = Work::Flops((2 * tokens * size.dim * classes) as u64);
        Kernel { name: "head_cross_entropy", size: size.name, work }.both(
            criterion,
            |make: &Make| {
                let targets: Tensor<1, Int> =
                    select_top_k(make.constant([tokens, classes]), 1).reshape([tokens]);
                let (x, weight) = (make.float([tokens, size.dim]), make.float([classes, size.dim]));
                (x, weight, targets, make.constant([tokens]))
            },
            |(x, weight, targets, weights)| {
                head_cross_entropy(x, weight, targets, weights, 256, Precision::F32, 1.0)
            },
        );
    }
}

fn norm_of_a_gradient(criterion: &mut Criterion) {
    for size in &SIZES {
        let shape = [size.experts * 2 * size.hidden * size.dim];
        Kernel { name: "sum_of_squares", size: size.name, work: Work::elements(shape) }.forward(
            criterion,
            |make: &Make| make.float(shape),
            sum_of_squares,
        );
    }
}

fn rotary_embedding(criterion: &mut Criterion) {
    for size in &SIZES {
        let width = size.dim / size.heads;
        let shape = [size.sequences, size.context, size.heads, width];
        Kernel { name: "rotate", size: size.name, work: Work::elements(shape) }.both(
            criterion,
            |make: &Make| {
                let angles = || make.constant([size.context, width / 2]);
                (make.float(shape), angles(), angles())
            },
            |(x, cos, sin)| rotate(x, cos, sin, Pairing::HalfSplit),
        );
    }
}

fn selection(criterion: &mut Criterion) {
    for size in &SIZES {
        let shape = [size.tokens(), size.experts];
        Kernel { name: "select_top_k", size: size.name, work: Work::elements(shape) }.forward(
            criterion,
            |make: &Make| make.float(shape),
            |scores| select_top_k(scores, size.selected),
        );
    }
}

/// Of the first matrices of a layer's experts. The update works in place only on what nobody else holds, so that
/// parameter and moments are handed on from one to the next.
fn update(criterion: &mut Criterion) {
    let step = AdamWStep {
        lr: 1e-4,
        betas: [0.9, 0.95],
        eps: 1e-8,
        weight_decay: 0.01,
        corrections: [0.1, 0.05],
        scale: 1.0,
    };
    for size in &SIZES {
        let shape = [size.experts * 2 * size.hidden * size.dim];
        Kernel { name: "adamw", size: size.name, work: Work::elements(shape) }.in_place(
            criterion,
            |make: &Make| {
                let [param, grad, first, second] = std::array::from_fn(|_| make.float(shape));
                (param, grad, first, second.abs())
            },
            |(param, grad, first, second)| {
                let (param, first, second) = adamw(param, grad.clone(), first, second, step);
                (param, grad, first, second)
            },
        );
    }
}

criterion_group!(
    benches,
    routed_experts,
    shared_expert,
    norm,
    causal_attention,
    projection,
    head,
    norm_of_a_gradient,
    rotary_embedding,
    selection,
    update,
);
criterion_main!(benches);
