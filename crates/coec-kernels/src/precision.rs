//! In which precision factors enter a product.

/// What becomes of the factors of a matrix product. Sums are those of the tensors' own element type either way.
///
/// It is asked of every product alike, forward and backward: of a factor that a product made before as of one
/// that came with the operation, and of a gradient that flows back. A result is rounded when it is a factor of
/// the next product, and not before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Nothing: they are multiplied as they are.
    #[default]
    F32,
    /// Both are rounded to bf16: to the nearest, ties to even, beyond the largest to infinity; NaN stays NaN.
    Bf16,
}
