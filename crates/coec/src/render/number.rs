//! Numbers for people: whole ones in groups of three digits, others short.

pub use coec_ir::{grouped, short};
