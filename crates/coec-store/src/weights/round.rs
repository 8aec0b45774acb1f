//! Numbers in another kind, rounded once.

use half::{bf16, f16};
use safetensors::Dtype;

/// What a byte of FP8 with four bits of exponent and three of mantissa says, exactly. There is no infinity;
/// all ones are no number.
pub(super) fn e4m3(byte: u8) -> f32 {
    let (exponent, mantissa) = (i32::from(byte >> 3 & 0xF), f32::from(byte & 7));
    let magnitude = match (exponent, byte & 7) {
        (15, 7) => f32::NAN,
        (0, _) => mantissa * 2f32.powi(-9),
        _ => (8.0 + mantissa) * 2f32.powi(exponent - 10),
    };
    if byte & 0x80 == 0 { magnitude } else { -magnitude }
}

/// A number as f32 that rounds to whatever is narrower as the number itself would: what lies between two f32
/// becomes the one whose last bit is set. Rounded to the nearer one, it could come to lie between two of the
/// narrower, and be rounded a second time.
fn to_odd(number: f64) -> f32 {
    let near = number as f32;
    if f64::from(near) == number || number.is_nan() {
        return near;
    }
    let towards_zero = if f64::from(near).abs() > number.abs() { near.to_bits() - 1 } else { near.to_bits() };
    f32::from_bits(towards_zero | 1)
}

/// Appends a number as `dtype`, which is f32, f16 or bf16. Whether it is finite there if it is here.
pub(super) fn push(dtype: Dtype, number: f64, into: &mut Vec<u8>) -> bool {
    let is_finite = match dtype {
        Dtype::F16 => {
            let half = f16::from_f32(to_odd(number));
            into.extend_from_slice(&half.to_le_bytes());
            half.is_finite()
        }
        Dtype::BF16 => {
            let half = bf16::from_f32(to_odd(number));
            into.extend_from_slice(&half.to_le_bytes());
            half.is_finite()
        }
        _ => {
            let single = number as f32;
            into.extend_from_slice(&single.to_le_bytes());
            single.is_finite()
        }
    };
    is_finite || !number.is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_e4m3() {
        for (byte, number) in [
            (0x00, 0.0),
            (0x01, 2f32.powi(-9)),
            (0x07, 7.0 * 2f32.powi(-9)),
            (0x08, 2f32.powi(-6)),
            (0x38, 1.0),
            (0x3C, 1.5),
            (0x7E, 448.0),
            (0xFE, -448.0),
            (0xB8, -1.0),
        ] {
            assert_eq!(e4m3(byte), number, "{byte:#x}");
        }
        assert_eq!(e4m3(0x80).to_bits(), (-0.0f32).to_bits());
        assert!(e4m3(0x7F).is_nan() && e4m3(0xFF).is_nan());
        // The positive codes are in the order of their numbers.
        assert!((0..0x7Eu8).all(|byte| e4m3(byte) < e4m3(byte + 1)));
    }

    /// Just above the middle of two bf16 the upper one is nearer, and a number between that middle and the
    /// next f32 is above it.
    #[test]
    fn rounding_once_is_not_rounding_twice() {
        let middle = 1.0 + 2f64.powi(-8);
        let above = middle + 2f64.powi(-30);
        assert_eq!(bf16::from_f32(above as f32), bf16::from_f32(1.0), "twice");
        assert_eq!(bf16::from_f32(to_odd(above)).to_f32(), 1.0 + 2f32.powi(-7), "once");
        assert_eq!(bf16::from_f32(to_odd(middle)).to_f32(), 1.0, "ties to even");
        assert_eq!(to_odd(-above), -to_odd(above));
        assert_eq!(to_odd(f64::from(f32::MAX) * 1.5).to_bits(), f32::MAX.to_bits());
        assert_eq!(bf16::from_f32(to_odd(1e300)), bf16::INFINITY);
        assert!(to_odd(f64::NAN).is_nan() && to_odd(f64::INFINITY) == f32::INFINITY);
        // The smallest f32, so that what is smaller does not vanish before it is rounded.
        assert_eq!(to_odd(1e-300).to_bits(), 1);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let mut into = Vec::new();
        assert!(push(Dtype::F16, 65504.0, &mut into) && !push(Dtype::F16, 65520.0, &mut into));
        assert!(push(Dtype::F16, f64::INFINITY, &mut into) && push(Dtype::F16, f64::NAN, &mut into));
        let largest = f64::from(f32::MAX);
        assert!(!push(Dtype::BF16, largest, &mut into) && push(Dtype::F32, largest, &mut into));
        assert!(!push(Dtype::F32, 2.0 * largest, &mut into));
    }
}
