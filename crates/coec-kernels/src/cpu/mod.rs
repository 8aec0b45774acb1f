//! What the kernels of the CPU share: tensors as slices, element types, loops for vector units, and
//! the product of two matrices.
//!
//! Every result is the same bits for any number of threads: tasks have a fixed size, each is computed
//! by one thread, and sums run in a fixed order.

mod bf16;
#[cfg(feature = "flex")]
mod flex;
mod host;
#[cfg(feature = "ndarray")]
mod ndarray;
mod product;
mod real;
mod simd;

pub(crate) use host::{Host, by_dtype};
pub(crate) use product::{
    Multiply, Part, Rows, Scratch, View, counted_product, product, shared_product, transpose, unwritten,
};
pub(crate) use real::Real;
pub(crate) use simd::{
    exponentials, round_to_bf16, softmax, softmax_gradient, softmax_with_sink, sum, widest,
};
