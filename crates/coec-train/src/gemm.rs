//! The peak that utilisation is measured against.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use coec_ir::Precision;
use coec_nn::factors;

/// FLOP/s of the best of several matrix products in `precision` on `device`: a 1024-cube on a CPU, larger on a GPU.
///
/// The peak of real products, by the kernels that models are made of and not of a data sheet, so that
/// utilisation says what is left to gain.
pub fn peak(device: &Device, size: usize, precision: Precision) -> f64 {
    let random = || Tensor::<2>::random([size, size], Distribution::Normal(0.0, 1.0), device);
    let (a, b) = (random(), random());
    let mut best = f64::INFINITY;
    for round in 0..12 {
        let start = Instant::now();
        let product = coec_kernels::linear(a.clone(), b.clone(), factors(precision));
        // A GPU is asked for the product, and then to be done; so is one that has nothing to do.
        let is_done = device.sync();
        drop(product);
        if is_done.is_err() {
            continue;
        }
        let seconds = start.elapsed().as_secs_f64();
        if round > 0 {
            best = best.min(seconds);
        }
    }
    2.0 * (size as f64).powi(3) / best
}
