//! The sum of two slices.

use burn::backend::{Element, TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::AddKernel;
use crate::cpu::{Host, Real, by_dtype, unwritten};

impl<B: Host> AddKernel for B {
    fn sum(a: FloatTensor<B>, b: FloatTensor<B>) -> FloatTensor<B> {
        by_dtype!("add", a.dtype(), T => of::<B, T>(a, b))
    }
}

/// Elements of one task.
const CHUNK: usize = 1 << 14;

fn of<B: Host, T: Real + Element>(a: FloatTensor<B>, b: FloatTensor<B>) -> FloatTensor<B> {
    let (device, shape) = (a.device(), a.shape());
    let (a, b) = (B::hold(a), B::hold(b));
    let (a, b) = (B::slice::<T>(&a), B::slice::<T>(&b));
    let mut sum = unwritten(a.len());
    sum.par_chunks_mut(CHUNK).zip(a.par_chunks(CHUNK)).zip(b.par_chunks(CHUNK)).for_each(|((sum, a), b)| {
        for ((sum, &a), &b) in sum.iter_mut().zip(a).zip(b) {
            *sum = a + b;
        }
    });
    B::float(sum, shape, &device)
}
