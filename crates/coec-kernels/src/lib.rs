//! coec-kernels
