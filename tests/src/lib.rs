//! What tests across crates share; the tests themselves live in `tests/` beside this folder.

pub mod draw;
pub mod reduce;
