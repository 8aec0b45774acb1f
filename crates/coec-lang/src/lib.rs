//! coec-lang
