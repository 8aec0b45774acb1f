//! Tensors in files: safetensors, read and written without a framework.

mod blocks;
mod convert;
mod error;
mod joined;
mod read;
mod reading;
mod round;
#[cfg(test)]
mod tests;
mod view;
#[cfg(test)]
mod views;
mod write;

pub use blocks::Factors;
pub use error::{Difference, Misshapen, WeightsError};
pub use joined::Placed;
pub use read::Weights;
pub use reading::Reading;
pub use safetensors::Dtype;
pub use write::{Announced, Values, Writer, write};
