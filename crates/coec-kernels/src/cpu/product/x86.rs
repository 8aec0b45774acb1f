//! AVX-512, and AVX2 with FMA.

use std::arch::x86_64::{
    __m128, __m128d, __m256, __m256d, __m512, __m512d, _mm_add_pd, _mm_add_ps, _mm_fmadd_pd, _mm_fmadd_ps,
    _mm_loadu_pd, _mm_loadu_ps, _mm_set1_pd, _mm_set1_ps, _mm_setzero_pd, _mm_setzero_ps, _mm_storeu_pd,
    _mm_storeu_ps, _mm256_add_pd, _mm256_add_ps, _mm256_fmadd_pd, _mm256_fmadd_ps, _mm256_loadu_pd,
    _mm256_loadu_ps, _mm256_set1_pd, _mm256_set1_ps, _mm256_setzero_pd, _mm256_setzero_ps, _mm256_storeu_pd,
    _mm256_storeu_ps, _mm512_add_pd, _mm512_add_ps, _mm512_fmadd_pd, _mm512_fmadd_ps, _mm512_loadu_pd,
    _mm512_loadu_ps, _mm512_set1_pd, _mm512_set1_ps, _mm512_setzero_pd, _mm512_setzero_ps, _mm512_storeu_pd,
    _mm512_storeu_ps,
};

use super::{kernel::kernel, vector::vector};

vector!(
    F32x16,
    __m512,
    f32,
    16,
    _mm512_setzero_ps(),
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    |c, a, b| _mm512_fmadd_ps(a, b, c),
    _mm512_add_ps
);
vector!(
    F32x8,
    __m256,
    f32,
    8,
    _mm256_setzero_ps(),
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    |c, a, b| _mm256_fmadd_ps(a, b, c),
    _mm256_add_ps
);
vector!(
    F32x4,
    __m128,
    f32,
    4,
    _mm_setzero_ps(),
    _mm_set1_ps,
    _mm_loadu_ps,
    _mm_storeu_ps,
    |c, a, b| _mm_fmadd_ps(a, b, c),
    _mm_add_ps
);
vector!(
    F64x8,
    __m512d,
    f64,
    8,
    _mm512_setzero_pd(),
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    |c, a, b| _mm512_fmadd_pd(a, b, c),
    _mm512_add_pd
);
vector!(
    F64x4,
    __m256d,
    f64,
    4,
    _mm256_setzero_pd(),
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    |c, a, b| _mm256_fmadd_pd(a, b, c),
    _mm256_add_pd
);
vector!(
    F64x2,
    __m128d,
    f64,
    2,
    _mm_setzero_pd(),
    _mm_set1_pd,
    _mm_loadu_pd,
    _mm_storeu_pd,
    |c, a, b| _mm_fmadd_pd(a, b, c),
    _mm_add_pd
);

kernel!(AVX512_F32, avx512_f32, "avx512f,avx512vl,avx2,fma", f32, 8, [F32x16, F32x8]);
kernel!(AVX512_F64, avx512_f64, "avx512f,avx512vl,avx2,fma", f64, 8, [F64x8, F64x4]);
kernel!(AVX2_F32, avx2_f32, "avx2,fma", f32, 6, [F32x8, F32x4]);
kernel!(AVX2_F64, avx2_f64, "avx2,fma", f64, 6, [F64x4, F64x2]);

/// Whether the machine has what the kernels of AVX-512 are compiled for.
pub(super) fn has_avx512() -> bool {
    std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512vl")
        && has_avx2()
}

/// Whether the machine has what the kernels of AVX2 are compiled for.
pub(super) fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
}
