//! The two float types of the CPU kernels.

use std::ops::{Add, AddAssign, Div, Mul, Sub};

use super::bf16;

/// f32 or f64.
pub(crate) trait Real:
    bytemuck::Pod
    + Send
    + Sync
    + PartialOrd
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;

    /// `1 / (1 + e^-x)`.
    fn sigmoid(self) -> Self;
    /// The Gauss error function.
    fn erf(self) -> Self;
    /// `e^x`.
    fn exp(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// As f64, which holds either.
    fn to_f64(self) -> f64;
    /// A constant.
    fn constant(value: f64) -> Self;
    /// The nearest number that bf16 has, ties to even.
    fn to_bf16(self) -> Self;
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    #[inline(always)]
    fn sigmoid(self) -> Self {
        1.0 / (1.0 + exp_f32(-self))
    }

    fn erf(self) -> Self {
        libm::erff(self)
    }

    #[inline(always)]
    fn exp(self) -> Self {
        exp_f32(self)
    }

    fn ln(self) -> Self {
        f32::ln(self)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        self.sqrt()
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn constant(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn to_bf16(self) -> Self {
        bf16::of_f32(self)
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    fn sigmoid(self) -> Self {
        1.0 / (1.0 + f64::exp(-self))
    }

    fn erf(self) -> Self {
        libm::erf(self)
    }

    fn exp(self) -> Self {
        f64::exp(self)
    }

    fn ln(self) -> Self {
        f64::ln(self)
    }

    fn sqrt(self) -> Self {
        self.sqrt()
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn constant(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn to_bf16(self) -> Self {
        bf16::of_f64(self)
    }
}

/// `e^x` within 2 units in the last place, without a branch or a call, so that loops over it
/// become vector code. Inputs beyond the range of f32 saturate; NaN stays NaN.
#[inline(always)]
fn exp_f32(x: f32) -> f32 {
    // e^x = 2^n e^r with n the nearest integer to x/ln 2 and |r| <= ln(2)/2.
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer, in the lowest bits of the sum
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.3 { -87.3 } else { x };
    let x = if x > 88.3 { 88.3 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    // Cephes' minimax polynomial for e^r on that interval.
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    // A conversion to an integer would look for NaN, one element after the other.
    p * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate_over_its_range() {
        let mut x = -87.0f32;
        while x < 88.0 {
            let (fast, exact) = (f64::from(exp_f32(x)), f64::from(x).exp());
            assert!((fast / exact - 1.0).abs() < 3e-7, "exp({x}) = {fast}, not {exact}");
            x += 0.003;
        }
    }

    #[test]
    fn exp_saturates_and_keeps_nan() {
        assert!(exp_f32(-1e9) > 0.0 && exp_f32(-1e9) < 1e-37);
        assert!(exp_f32(1e9).is_finite());
        assert!(exp_f32(f32::NAN).is_nan());
    }
}
