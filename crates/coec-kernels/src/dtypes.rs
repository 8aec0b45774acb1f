//! Element types at the kernels' door: every tensor of an operation has the same one.
//!
//! A kernel reads storage as slices of one type. A tensor of another type would be read bit for bit
//! as what it is not, so the door asks before any storage is read.

use burn::tensor::DType;

/// The element type that all tensors of `operation`, each with its name, have.
///
/// # Panics
///
/// When two differ; the message names the operation, both tensors and both types.
pub(crate) fn same(operation: &str, tensors: &[(&str, DType)]) -> DType {
    let (first, dtype) = tensors[0];
    for &(name, other) in &tensors[1..] {
        assert!(
            other == dtype,
            "{operation}: `{first}` is {dtype:?} and `{name}` is {other:?}; they must have one element type"
        );
    }
    dtype
}

/// [`same`] of tensors or primitives, by the names of their variables.
macro_rules! same_dtype {
    ($operation:literal, $($tensor:ident),+) => {
        $crate::dtypes::same($operation, &[$((stringify!($tensor), $tensor.dtype())),+])
    };
}
pub(crate) use same_dtype;

/// Calls `$function::<backend, f32 or f64>` by the element type that the named tensors have.
///
/// Panics when they differ, and for a type that the CPU kernels do not compute in.
#[cfg(any(feature = "flex", feature = "ndarray"))]
macro_rules! by_dtype {
    ($operation:literal [$($tensor:ident),+] => $function:ident::<$backend:ty>($($argument:expr),* $(,)?)) => {
        match $crate::dtypes::same_dtype!($operation, $($tensor),+) {
            burn::tensor::DType::F32 => $function::<$backend, f32>($($argument),*),
            burn::tensor::DType::F64 => $function::<$backend, f64>($($argument),*),
            other => panic!("{} on the CPU computes in F32 or F64, not in {other:?}", $operation),
        }
    };
}
#[cfg(any(feature = "flex", feature = "ndarray"))]
pub(crate) use by_dtype;
