//! The sum of squares of a slice, without a copy of it.

use burn::backend::{Element, TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::SumOfSquaresKernel;
use crate::cpu::{Host, Real, by_dtype, sum, widest};

impl<B: Host> SumOfSquaresKernel for B {
    fn sum_of_squares(x: FloatTensor<B>) -> FloatTensor<B> {
        by_dtype!("sum_of_squares", x.dtype(), T => of::<B, T>(x))
    }
}

/// Elements of one task; fixed, so that sums have a fixed order.
const CHUNK: usize = 1 << 15;

fn of<B: Host, T: Real + Element>(x: FloatTensor<B>) -> FloatTensor<B> {
    let device = x.device();
    let held = B::hold(x);
    let parts: Vec<f64> = B::slice::<T>(&held).par_chunks(CHUNK).map(of_chunk).collect();
    B::float(vec![T::constant(parts.iter().sum())], [1], &device)
}

fn of_chunk<T: Real>(values: &[T]) -> f64 {
    let mut total = 0.0;
    add(values, &mut total);
    total
}

fn add<T: Real>(values: &[T], total: &mut f64) {
    widest!(values: &[T], total: &mut f64; T => add_inline(values, total))
}

#[inline(always)]
fn add_inline<T: Real>(values: &[T], total: &mut f64) {
    *total += sum(values.len(), |i| values[i] * values[i]).to_f64();
}
