//! Little-endian bytes to numbers.

use half::{bf16, f16};
use safetensors::Dtype;

/// Splits `bytes` into numbers of `N` bytes.
fn each<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&chunk| number(chunk)).collect()
}

/// As f32, if `dtype` is a float that f32 is read from.
pub(super) fn to_f32(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    match dtype {
        Dtype::F32 => Some(each(bytes, f32::from_le_bytes)),
        Dtype::F16 => Some(each(bytes, |half| f16::from_le_bytes(half).to_f32())),
        Dtype::BF16 => Some(each(bytes, |half| bf16::from_le_bytes(half).to_f32())),
        Dtype::F64 => Some(each(bytes, |double| f64::from_le_bytes(double) as f32)),
        _ => None,
    }
}

/// As i64, if `dtype` is an integer whose every value fits.
pub(super) fn to_i64(dtype: Dtype, bytes: &[u8]) -> Option<Vec<i64>> {
    match dtype {
        Dtype::I64 => Some(each(bytes, i64::from_le_bytes)),
        Dtype::I32 => Some(each(bytes, |number| i32::from_le_bytes(number).into())),
        Dtype::I16 => Some(each(bytes, |number| i16::from_le_bytes(number).into())),
        Dtype::I8 => Some(each(bytes, |number| i8::from_le_bytes(number).into())),
        Dtype::U32 => Some(each(bytes, |number| u32::from_le_bytes(number).into())),
        Dtype::U16 => Some(each(bytes, |number| u16::from_le_bytes(number).into())),
        Dtype::U8 => Some(each(bytes, |[number]| number.into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_exact() {
        // One, the largest, the smallest subnormal, minus infinity.
        let bytes = [0x00, 0x3C, 0xFF, 0x7B, 0x01, 0x00, 0x00, 0xFC];
        let expected = [1.0, 65504.0, 2f32.powi(-24), f32::NEG_INFINITY];
        assert_eq!(to_f32(Dtype::F16, &bytes).unwrap(), expected);
    }

    #[test]
    fn brain_floats_are_the_upper_half_of_f32() {
        assert_eq!(to_f32(Dtype::BF16, &[0x80, 0x3F, 0x49, 0xC0]).unwrap(), [1.0, -3.140625]);
    }

    #[test]
    fn integers_keep_their_sign() {
        assert_eq!(to_i64(Dtype::I8, &[0xFF]).unwrap(), [-1]);
        assert_eq!(to_i64(Dtype::U8, &[0xFF]).unwrap(), [255]);
        assert_eq!(to_i64(Dtype::I32, &[0xFE, 0xFF, 0xFF, 0xFF]).unwrap(), [-2]);
    }

    #[test]
    fn kinds_do_not_mix() {
        assert_eq!(to_f32(Dtype::I32, &[0; 4]), None);
        assert_eq!(to_i64(Dtype::F32, &[0; 4]), None);
        assert_eq!(to_i64(Dtype::U64, &[0; 8]), None);
    }
}
