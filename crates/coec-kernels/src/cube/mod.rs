//! What the kernels for GPUs share: tensors as buffers, sums over a cube, and the product of two matrices.
//!
//! They are written in CubeCL, once for CUDA, for Vulkan, Metal and DirectX 12 through wgpu, and for
//! whatever CubeCL comes to compile for. A *cube* is a group of threads that share memory; a *unit* is one
//! of its threads.
//!
//! Every result is the same bits in every run on one device: nothing is added atomically, and sums run
//! in a fixed order. Nothing is read back to the host: sizes that depend on values stay on the device, and
//! launches are sized by what bounds them.
//!
//! Kernels compute in f32; operands of products may be rounded to bf16.

mod activation;
mod launch;
mod numbers;
mod product;
mod route;
mod rows;
mod sums;
mod tile;

pub(crate) use activation::{activated, gradients};
pub(crate) use launch::{UNITS, ask_for_f32, buffer, cubes, cubes_of_units, empty, units};
pub(crate) use numbers::{divisible, nearest_bf16};
#[allow(unused_imports)] // generated crates, which carry this file, check no device
pub use product::without_matrix_units;
pub(crate) use product::{Groups, Operand, Product, activated_product, biased_product, product};
pub(crate) use route::Route;
pub(crate) use rows::{cube_sum, greatest_of_row, product_of_rows};
pub(crate) use sums::sum_parts;
