//! The k largest scores of each row, on slices.

use burn::backend::{
    Element, TensorMetadata, get_or_init_device_settings,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Shape, TensorData};
use rayon::prelude::*;

use super::SelectTopKKernel;
use crate::cpu::{Host, Real, by_dtype};

impl<B: Host> SelectTopKKernel for B {
    fn selected(scores: FloatTensor<B>, k: usize) -> IntTensor<B> {
        by_dtype!("select_top_k", scores.dtype(), T => selected::<B, T>(scores, k))
    }
}

fn selected<B: Host, T: Real + Element>(scores: FloatTensor<B>, k: usize) -> IntTensor<B> {
    let device = scores.device();
    let [rows, experts] = scores.shape().dims();
    let scores = B::hold(scores);
    let indices = select_top_k::<T>(B::slice(&scores), experts, k);
    // In the device's own integer type, so that the indices mix with its other integers.
    let dtype = get_or_init_device_settings::<B>(&device).int_dtype;
    let indices: Vec<i64> = indices.into_iter().map(i64::from).collect();
    let data = TensorData::new(indices, Shape::new([rows, k])).convert_dtype(dtype.into());
    B::int_from_data(data, &device)
}

/// Indices of each row's `k` largest scores, largest first, ties to the lower index.
/// A NaN ranks below every number.
fn select_top_k<T: Real>(scores: &[T], experts: usize, k: usize) -> Vec<u32> {
    let rows = scores.len().checked_div(experts).unwrap_or(0);
    let mut indices = vec![0u32; rows * k];
    if indices.is_empty() {
        return indices;
    }
    indices.par_chunks_mut(k * 64).enumerate().for_each(|(chunk, indices)| {
        let mut best: Vec<(T, u32)> = Vec::with_capacity(k + 1);
        for (row, out) in indices.chunks_exact_mut(k).enumerate() {
            best.clear();
            // Insertion into a short sorted list: k is small, and equal scores keep their order.
            for (expert, &score) in scores[(chunk * 64 + row) * experts..][..experts].iter().enumerate() {
                if best.len() == k && !ranks_above(score, best[k - 1].0) {
                    continue;
                }
                let at = best.partition_point(|&(other, _)| !ranks_above(score, other));
                best.insert(at, (score, expert as u32));
                best.truncate(k);
            }
            for (out, &(_, expert)) in out.iter_mut().zip(&best) {
                *out = expert;
            }
        }
    });
    indices
}

/// Strictly above, with NaN below every number.
#[inline(always)]
#[allow(clippy::eq_op)] // only NaN differs from itself
fn ranks_above<T: Real>(a: T, b: T) -> bool {
    a > b || (a == a && b != b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lower_index() {
        assert_eq!(select_top_k(&[1.0f32, 3.0, 3.0, 2.0, 3.0], 5, 4), [1, 2, 4, 3]);
    }

    #[test]
    fn nan_ranks_last() {
        assert_eq!(select_top_k(&[f32::NAN, -1.0, f32::NEG_INFINITY], 3, 3), [1, 2, 0]);
        assert_eq!(select_top_k(&[f32::NAN, f32::NAN, 0.5], 3, 2), [2, 0]);
    }
}
