//! The cross-entropy of a head on GPUs: a block of rows at a time, four launches each.

use burn::backend::{Cube, TensorMetadata, cubecl::dtype_to_storage_type, tensor::FloatTensor};
use burn::tensor::DType;
use burn_cubecl::{kernel::into_contiguous, ops::numeric::zeros, tensor::CubeTensor};
use cubecl::prelude::*;

use super::{CrossEntropyKernel, Head, Saved};
use crate::Precision;
use crate::cube::{
    Groups, Operand, Product, UNITS, ask_for_f32, buffer, cube_sum, cubes, cubes_of_units, empty,
    greatest_of_row, product, sum_parts, units,
};

impl CrossEntropyKernel for Cube {
    fn losses(head: Head<Self>) -> FloatTensor<Self> {
        ask_for_f32("cross_entropy", head.x.dtype());
        let head = Blocks::of(head);
        let losses = empty(&head.x, [head.rows], DType::F32);
        for (first, rows) in head.blocks() {
            let logits = head.logits(first, rows);
            head.lose(&logits, &losses, None, first, rows);
        }
        losses
    }

    fn forward(head: Head<Self>, weights: FloatTensor<Self>) -> (FloatTensor<Self>, Saved<Self>) {
        ask_for_f32("cross_entropy", head.x.dtype());
        let head = Blocks::of(head);
        let (losses, x) =
            (empty(&head.x, [head.rows], DType::F32), empty(&head.x, [head.rows, head.dim], DType::F32));
        let weight = zeros(head.x.device.clone(), [head.vocab, head.dim].into(), DType::F32);
        for (first, rows) in head.blocks() {
            let grads = head.logits(first, rows);
            head.lose(&grads, &losses, Some(&weights), first, rows);
            product(
                &x,
                Product::new(rows, head.dim, head.vocab).of(head.precision).to(first * head.dim),
                Operand::lines(&grads, head.vocab),
                Operand::transposed(&head.weight, head.dim),
                Groups::One,
                None,
            );
            product(
                &weight,
                Product::new(head.vocab, head.dim, rows).of(head.precision).added(),
                Operand::transposed(&grads, head.vocab),
                Operand::transposed(&head.x, head.dim).from(first * head.dim),
                Groups::One,
                None,
            );
        }
        let loss = empty(&head.x, [1], DType::F32);
        sum_parts(&losses, &loss, head.rows, head.rows, false);
        (loss, Saved { x, weight })
    }

    fn backward(saved: Saved<Self>, grad: FloatTensor<Self>) -> [FloatTensor<Self>; 2] {
        [saved.x, saved.weight].map(|made| {
            let out = empty(&made, made.shape(), DType::F32);
            let count = made.shape().num_elements();
            let units = CubeDim::new_1d(UNITS);
            scale::launch(
                &made.client,
                cubes_of_units(count),
                units,
                buffer(&made),
                buffer(&grad),
                buffer(&out),
                count,
            );
            out
        })
    }
}

/// A head and its sizes.
struct Blocks {
    x: CubeTensor,
    weight: CubeTensor,
    targets: CubeTensor,
    block: usize,
    precision: Precision,
    scale: f32,
    rows: usize,
    dim: usize,
    vocab: usize,
}

impl Blocks {
    fn of(head: Head<Cube>) -> Self {
        let ([rows, dim], [vocab, _]) = (head.x.shape().dims(), head.weight.shape().dims());
        let Head { x, weight, targets, block, precision, scale } = head;
        let [x, weight, targets] = [x, weight, targets].map(into_contiguous);
        Self { x, weight, targets, block, precision, scale: scale as f32, rows, dim, vocab }
    }

    /// The first row of each block, and how many it has.
    fn blocks(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (rows, block) = (self.rows, self.block);
        (0..rows).step_by(block).map(move |first| (first, block.min(rows - first)))
    }

    /// The logits of a block.
    fn logits(&self, first: usize, rows: usize) -> CubeTensor {
        let logits = empty(&self.x, [rows, self.vocab], DType::F32);
        product(
            &logits,
            Product::new(rows, self.vocab, self.dim).of(self.precision),
            Operand::lines(&self.x, self.dim).from(first * self.dim),
            Operand::lines(&self.weight, self.dim),
            Groups::One,
            None,
        );
        logits
    }

    /// Writes the losses of a block, and makes its logits their gradients where they are weighted.
    fn lose(
        &self,
        logits: &CubeTensor,
        losses: &CubeTensor,
        weights: Option<&CubeTensor>,
        first: usize,
        rows: usize,
    ) {
        lose::launch(
            &logits.client,
            cubes(rows),
            CubeDim::new_1d(units(self.vocab)),
            buffer(logits),
            buffer(&self.targets),
            buffer(weights.unwrap_or(&self.x)),
            buffer(losses),
            first,
            rows,
            self.vocab,
            self.scale,
            weights.is_some(),
            units(self.vocab),
            dtype_to_storage_type(self.targets.dtype),
        );
    }
}

/// A cube a row.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn lose<I: Int>(
    logits: &mut [f32],
    targets: &[I],
    weights: &[f32],
    losses: &mut [f32],
    first: usize,
    rows: usize,
    vocab: usize,
    scale: f32,
    #[comptime] weighted: bool,
    #[comptime] units: u32,
    #[define(I)] _int: ElemType,
) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let base = row * vocab;
    let target = usize::cast_from(targets[first + row]);
    let greatest = greatest_of_row(&*logits, base, vocab, scale, units);
    let mut sum = 0.0f32;
    let mut class = UNIT_POS as usize;
    while class < vocab {
        sum += f32::exp(logits[base + class] * scale - greatest);
        class += units as usize;
    }
    let sum = cube_sum(sum, units);
    if UNIT_POS == 0 {
        let mut loss = f32::ln(sum) + greatest - logits[base + target] * scale;
        if comptime!(weighted) {
            loss *= weights[first + row];
        }
        losses[first + row] = loss;
    }
    if comptime!(weighted) {
        sync_cube();
        let weight = weights[first + row] * scale;
        let mut class = UNIT_POS as usize;
        while class < vocab {
            let mut grad = f32::exp(logits[base + class] * scale - greatest) / sum;
            if class == target {
                grad -= 1.0;
            }
            logits[base + class] = grad * weight;
            class += units as usize;
        }
    }
}

/// What was made for an upstream gradient of 1, for the one that came.
#[cube(launch)]
fn scale(made: &[f32], grad: &[f32], out: &mut [f32], count: usize) {
    let at = ABSOLUTE_POS;
    if at >= count {
        terminate!();
    }
    out[at] = made[at] * grad[0];
}
