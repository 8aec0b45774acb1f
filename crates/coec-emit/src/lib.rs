//! coec-emit
