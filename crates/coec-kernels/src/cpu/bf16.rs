//! Rounding to bf16: the upper half of an f32, eight bits of exponent and seven of significand.
//!
//! What is rounded stays f32 or f64. Products of two such numbers are exact in f32, so that a product of
//! rounded matrices differs from that of a device with bf16 by the order of its sums alone.

/// The nearest number of bf16. Without a branch, so that a loop over it is vector code.
#[inline(always)]
pub(super) fn of_f32(x: f32) -> f32 {
    let bits = x.to_bits();
    // Half of what the upper half's last bit is worth, less one where that bit is 0: a tie goes to even. What
    // is beyond the largest number carries into the exponent, which makes it infinite.
    let rounded = bits.wrapping_add(0x7FFF + (bits >> 16 & 1));
    let kept = if x.is_nan() { bits | 0x0040_0000 } else { rounded };
    f32::from_bits(kept & 0xFFFF_0000)
}

/// The nearest number of bf16, rounded once.
#[inline(always)]
pub(super) fn of_f64(x: f64) -> f64 {
    // An f32 of the same exponent that is odd wherever `x` lies between two of them: it is on the side of a tie
    // that `x` is on, so that rounding it is rounding `x`.
    let near = x as f32;
    let back = f64::from(near);
    if back == x || x.is_nan() {
        return of_f32(near).into();
    }
    let towards_zero = if back.abs() > x.abs() { near.to_bits() - 1 } else { near.to_bits() };
    of_f32(f32::from_bits(towards_zero | 1)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The nearest of all numbers of bf16, found by looking: of two at one distance that with the even bits.
    fn nearest(x: f64) -> f64 {
        let numbers = (0..0x7F80u32).map(|upper| f64::from(f32::from_bits(upper << 16)));
        let mut best = (f64::INFINITY, 0, 0.0);
        for (bits, number) in numbers.enumerate() {
            let distance = (x.abs() - number).abs();
            if distance < best.0 || distance == best.0 && bits % 2 == 0 {
                best = (distance, bits, number);
            }
        }
        // The next number after the largest would be 2^128: from half way on there is only infinity.
        let beyond = 2f64.powi(128) - 2f64.powi(119);
        (if x.abs() >= beyond { f64::INFINITY } else { best.2 }).copysign(x)
    }

    /// Numbers around the ties and ends of bf16, of either sign.
    fn numbers() -> Vec<f64> {
        let mut numbers = Vec::new();
        for upper in [0, 1, 2, 0x7F, 0x80, 0x81, 0x3F7F, 0x3F80, 0x3F81, 0x4049, 0x7F7E, 0x7F7F] {
            for lower in [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF] {
                let number = f64::from(f32::from_bits(upper << 16 | lower));
                // In f64 a hair beside each, which decides a tie.
                numbers.extend([number, number * (1.0 + 1e-12), number * (1.0 - 1e-12)]);
            }
        }
        numbers.extend([1e-50, 1e300, f64::MAX, 2f64.powi(-134), 2f64.powi(-134) * 1.000_001]);
        numbers.iter().flat_map(|&x| [x, -x]).collect()
    }

    #[test]
    fn rounding_is_to_the_nearest_and_ties_go_to_even() {
        for x in numbers() {
            assert_eq!(of_f64(x).to_bits(), nearest(x).to_bits(), "{x:e} became {:e}", of_f64(x));
            let single = x as f32;
            let expected = nearest(single.into()) as f32;
            // Beyond f32 there is only infinity, which stays.
            let expected = if single.is_infinite() { single } else { expected };
            assert_eq!(of_f32(single).to_bits(), expected.to_bits(), "{single:e}");
        }
    }

    #[test]
    fn bits_are_those_of_the_conversion() {
        let rounded = |bits: u32| of_f32(f32::from_bits(bits)).to_bits();
        // Ties, both ways.
        assert_eq!((rounded(0x3F80_8000), rounded(0x3F81_8000)), (0x3F80_0000, 0x3F82_0000));
        assert_eq!((rounded(0xBF80_8000), rounded(0xBF81_8000)), (0xBF80_0000, 0xBF82_0000));
        // The largest numbers, and what is beyond them.
        assert_eq!((rounded(0x7F7F_7FFF), rounded(0x7F7F_8000)), (0x7F7F_0000, 0x7F80_0000));
        assert_eq!((rounded(0x7F80_0000), rounded(0xFF80_0000)), (0x7F80_0000, 0xFF80_0000));
        // Zeros keep their sign, and subnormal numbers are numbers.
        assert_eq!((rounded(0x8000_0000), rounded(0x0000_8001)), (0x8000_0000, 0x0001_0000));
        // A NaN with nothing in its upper half, and one that would carry out of its bits.
        for bits in [0x7F80_0001, 0xFF80_0001, 0x7FFF_FFFF, 0xFFFF_FFFF] {
            assert!(f32::from_bits(rounded(bits)).is_nan(), "{bits:x}");
            assert_eq!(rounded(bits) & 0xFFFF, 0);
        }
        assert!(of_f64(f64::NAN).is_nan());
    }
}
