//! Element types at the kernels' door: every tensor of an operation has the same one.
//!
//! A kernel reads storage as slices of one type. A tensor of another type would be read bit for bit
//! as what it is not, so the door asks before any kernel is called, and kernels need not.

use burn::tensor::DType;

/// Asks that all tensors of `operation`, each with its name, have one element type.
///
/// # Panics
///
/// When two differ; the message names the operation, both tensors and both types.
pub(crate) fn same(operation: &str, tensors: &[(&str, DType)]) {
    let (first, dtype) = tensors[0];
    for &(name, other) in &tensors[1..] {
        assert!(
            other == dtype,
            "{operation}: `{first}` is {dtype:?} and `{name}` is {other:?}; they must have one element type"
        );
    }
}
