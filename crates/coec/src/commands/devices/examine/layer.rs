//! How fast the experts of the paper's model are on a device.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Int, Tensor};
use coec_ir::Precision;
use coec_kernels::{Activation, experts};
use coec_nn::factors;

/// The sizes of a layer of experts.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub tokens: usize,
    pub dim: usize,
    pub experts: usize,
    pub selected: usize,
    pub hidden: usize,
}

impl Sizes {
    /// An iteration of CoE-2(4/64) over 64 sequences of 512 tokens.
    pub const PAPER: Self = Self { tokens: 64 * 512, dim: 1024, experts: 64, selected: 4, hidden: 704 };
    /// What a slow device can do.
    pub const SMALL: Self = Self { tokens: 256, dim: 64, experts: 16, selected: 4, hidden: 48 };

    /// FLOPs of the forward pass; the backward pass has twice as many.
    pub fn flops(self) -> f64 {
        6.0 * (self.tokens * self.selected * self.dim * self.hidden) as f64
    }
}

/// Seconds of the fastest forward pass, and of the fastest with its backward pass.
pub fn timed(sizes: Sizes, precision: Precision, device: &Device) -> Result<[f64; 2], String> {
    let device = device.clone().autodiff();
    let Sizes { tokens, dim, experts: count, selected, hidden } = sizes;
    let random = |shape: [usize; 2]| Tensor::<2>::random(shape, Distribution::Normal(0.0, 0.02), &device);
    let x = random([tokens, dim]).require_grad();
    let w_in = random([count * 2 * hidden, dim]).reshape([count, 2 * hidden, dim]).detach().require_grad();
    let w_out = random([count * dim, hidden]).reshape([count, dim, hidden]).detach().require_grad();
    let indices = coec_kernels::select_top_k(random([tokens, count]), selected);
    let gates = Tensor::<2>::full([tokens, selected], 1.0 / selected as f64, &device).require_grad();
    let forward = |indices: Tensor<2, Int>| {
        experts(
            x.clone(),
            indices,
            gates.clone(),
            w_in.clone(),
            w_out.clone(),
            None,
            Activation::Swiglu,
            factors(precision),
        )
    };
    let sync = || device.sync().map_err(|error| error.to_string());
    let mut best = [f64::INFINITY; 2];
    for round in 0..8 {
        sync()?;
        let begun = Instant::now();
        let y = forward(indices.clone());
        sync()?;
        let forward = begun.elapsed().as_secs_f64();
        let grads = y.backward();
        sync()?;
        let both = begun.elapsed().as_secs_f64();
        drop(grads);
        // The first compiles the kernels.
        if round > 0 {
            best = [best[0].min(forward), best[1].min(both)];
        }
    }
    Ok(best)
}
