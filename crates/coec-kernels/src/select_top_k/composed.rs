//! The selection composed of Burn's own operations.

use burn::tensor::{DType, Int, Tensor};

/// Indices of the `k` largest scores, ties to the lower index: k times the largest not yet taken.
pub(crate) fn select_top_k(scores: Tensor<2>, k: usize) -> Tensor<2, Int> {
    let [n, experts] = scores.dims();
    let device = scores.device();
    let ids = Tensor::<1, Int>::arange(0..experts as i64, &device).unsqueeze::<2>().expand([n, experts]);
    let lowest = match scores.dtype() {
        DType::F64 => f64::MIN,
        DType::F16 => -65_504.0,
        _ => f64::from(f32::MIN),
    };
    // A NaN ranks below every number.
    let mut left = scores.clone().mask_fill(scores.is_nan(), lowest);
    let mut taken = Vec::with_capacity(k);
    for _ in 0..k {
        let best = left.clone().max_dim(1).expand([n, experts]);
        let index = ids.clone().mask_fill(left.clone().not_equal(best), experts as i64).min_dim(1); // [N, 1]
        left = left.mask_fill(ids.clone().equal(index.clone().expand([n, experts])), f64::NEG_INFINITY);
        taken.push(index);
    }
    Tensor::cat(taken, 1)
}
