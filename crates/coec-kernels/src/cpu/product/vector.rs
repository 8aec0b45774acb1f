//! A vector register, and what the tile of a product does with it.

use crate::cpu::Real;

/// A vector of `LANES` elements. Every function is for the machines that have its instructions.
///
/// # Safety
///
/// Callers are compiled for, and run on, a machine with the vector's instructions; pointers lead to as many
/// elements as are read or written, of any alignment.
pub(super) trait Vector: Copy {
    /// What it holds.
    type Element: Real;
    /// How many.
    const LANES: usize;

    /// All lanes 0.
    unsafe fn zero() -> Self;
    /// All lanes the element at `from`.
    unsafe fn splat(from: *const Self::Element) -> Self;
    /// The elements from `from` on.
    unsafe fn load(from: *const Self::Element) -> Self;
    /// Writes the lanes.
    unsafe fn store(self, to: *mut Self::Element);
    /// `a * b + self`, rounded once where the machine can.
    unsafe fn mul_add(self, a: Self, b: Self) -> Self;
    /// `self + other`.
    unsafe fn add(self, other: Self) -> Self;
}

/// A vector of an architecture by the names of its instructions.
macro_rules! vector {
    ($vector:ident, $register:ty, $element:ty, $lanes:literal,
     $zero:expr, $splat:expr, $load:expr, $store:expr, $mul_add:expr, $add:expr) => {
        #[derive(Clone, Copy)]
        pub(in crate::cpu::product) struct $vector($register);

        impl $crate::cpu::product::vector::Vector for $vector {
            type Element = $element;
            const LANES: usize = $lanes;

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the caller runs on a machine with these instructions.
                Self(unsafe { $zero })
            }

            #[inline(always)]
            unsafe fn splat(from: *const $element) -> Self {
                // SAFETY: as above, and `from` leads to an element.
                Self(unsafe { $splat(*from) })
            }

            #[inline(always)]
            unsafe fn load(from: *const $element) -> Self {
                // SAFETY: as above, and `from` leads to as many elements as there are lanes.
                Self(unsafe { $load(from) })
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                // SAFETY: as above, of `to`.
                unsafe { $store(to, self.0) }
            }

            #[inline(always)]
            unsafe fn mul_add(self, a: Self, b: Self) -> Self {
                // SAFETY: the caller runs on a machine with these instructions.
                Self(unsafe { $mul_add(self.0, a.0, b.0) })
            }

            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $add(self.0, other.0) })
            }
        }
    };
}
pub(super) use vector;
