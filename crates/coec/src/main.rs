//! coec
fn main() {}
