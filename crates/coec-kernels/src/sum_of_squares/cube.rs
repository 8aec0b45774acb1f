//! Sums of squares on GPUs: a part a cube, and one cube for the parts.

use burn::backend::{Cube, TensorMetadata, tensor::FloatTensor};
use burn::tensor::DType;

use super::SumOfSquaresKernel;
use crate::cube::{ask_for_f32, empty, sum_parts};

/// Elements of a part.
const PART: usize = 16 * 1024;

impl SumOfSquaresKernel for Cube {
    fn sum_of_squares(x: FloatTensor<Self>) -> FloatTensor<Self> {
        ask_for_f32("sum_of_squares", x.dtype());
        let count = x.shape().num_elements();
        let parts = count.div_ceil(PART).max(1);
        let partial = empty(&x, [parts], DType::F32);
        sum_parts(&x, &partial, count, PART, true);
        if parts == 1 {
            return partial;
        }
        let sum = empty(&x, [1], DType::F32);
        sum_parts(&partial, &sum, parts, parts, false);
        sum
    }
}
