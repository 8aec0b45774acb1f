//! Rounding of slices.

use burn::backend::{TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::RoundKernel;
use crate::cpu::{Host, by_dtype, round_to_bf16};

/// Elements of one task.
const CHUNK: usize = 1 << 14;

impl<B: Host> RoundKernel for B {
    fn bf16(x: FloatTensor<B>) -> FloatTensor<B> {
        by_dtype!("rounded", x.dtype(), T => {
            B::in_place::<T>(x, |values| values.par_chunks_mut(CHUNK).for_each(round_to_bf16))
        })
    }
}
