//! What tests across crates share. The tests themselves live beside this file.

pub mod device;
pub mod errors;
pub mod models;
pub mod modules;
pub mod reduced;
