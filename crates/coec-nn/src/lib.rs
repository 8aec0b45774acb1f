//! coec-nn
