//! Arrays in place of vectors, for machines without the others.

use super::{
    kernel::{Kernel, Lines, column, copied, each_turned, turned},
    vector::Vector,
};
use crate::cpu::Real;

/// Four elements.
#[derive(Clone, Copy)]
pub(super) struct Four<T>([T; 4]);

impl<T: Real> Vector for Four<T> {
    type Element = T;
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([T::ZERO; 4])
    }

    #[inline(always)]
    unsafe fn splat(from: *const T) -> Self {
        // SAFETY: the caller's pointer leads to an element.
        Self([unsafe { *from }; 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller's pointer leads to four elements.
        Self(std::array::from_fn(|lane| unsafe { *from.add(lane) }))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        for (lane, value) in self.0.into_iter().enumerate() {
            // SAFETY: as above.
            unsafe { *to.add(lane) = value };
        }
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        // Not `f32::mul_add`: where no instruction does it, that is a call for each element.
        Self(std::array::from_fn(|lane| self.0[lane] + a.0[lane] * b.0[lane]))
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] + other.0[lane]))
    }
}

const fn kernel<T: Real>() -> Kernel<T> {
    Kernel {
        lanes: [4, 4],
        column: column::<Four<T>, Four<T>, 4>,
        copy: copied::<Four<T>, Four<T>>,
        turn: turn::<T>,
    }
}

unsafe fn turn<T: Real>(lines: Lines<T>) {
    // SAFETY: the caller's promise.
    unsafe { turned::<T, 4>(lines, |rows, to, stride| each_turned(rows, to, stride)) };
}

pub(super) const F32: Kernel<f32> = kernel();
pub(super) const F64: Kernel<f64> = kernel();
