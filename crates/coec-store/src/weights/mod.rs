//! Tensors in files: safetensors, read and written without a framework.

mod convert;
mod error;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use error::{Difference, Misshapen, WeightsError};
pub use read::Weights;
pub use safetensors::Dtype;
pub use write::{Announced, Values, Writer, write};
