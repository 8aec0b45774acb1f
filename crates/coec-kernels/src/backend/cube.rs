//! CUDA, through CubeCL: composed from Burn's own operations.

use burn::backend::Cube;

super::tensors::kernels_from_tensors!(Cube, crate::backend::composed);
