//! NEON, which every 64-bit Arm has.

use std::arch::aarch64::{
    float32x4_t, float64x2_t, vaddq_f32, vaddq_f64, vdupq_n_f32, vdupq_n_f64, vfmaq_f32, vfmaq_f64,
    vld1q_f32, vld1q_f64, vst1q_f32, vst1q_f64,
};

use super::{kernel::kernel, vector::vector};

vector!(
    F32x4,
    float32x4_t,
    f32,
    4,
    vdupq_n_f32(0.0),
    vdupq_n_f32,
    vld1q_f32,
    vst1q_f32,
    vfmaq_f32,
    vaddq_f32
);
vector!(
    F64x2,
    float64x2_t,
    f64,
    2,
    vdupq_n_f64(0.0),
    vdupq_n_f64,
    vld1q_f64,
    vst1q_f64,
    vfmaq_f64,
    vaddq_f64
);

kernel!(NEON_F32, neon_f32, "neon", f32, 8, [F32x4, F32x4], 4, kernel::each_turned);
kernel!(NEON_F64, neon_f64, "neon", f64, 8, [F64x2, F64x2], 4, kernel::each_turned);
