//! coec-train
