//! AVX-512, and AVX2 with FMA.

use std::arch::x86_64::{
    __m128, __m128d, __m256, __m256d, __m512, __m512d, _mm_add_pd, _mm_add_ps, _mm_fmadd_pd, _mm_fmadd_ps,
    _mm_loadu_pd, _mm_loadu_ps, _mm_set1_pd, _mm_set1_ps, _mm_setzero_pd, _mm_setzero_ps, _mm_storeu_pd,
    _mm_storeu_ps, _mm256_add_pd, _mm256_add_ps, _mm256_fmadd_pd, _mm256_fmadd_ps, _mm256_loadu_pd,
    _mm256_loadu_ps, _mm256_permute2f128_pd, _mm256_permute2f128_ps, _mm256_set1_pd, _mm256_set1_ps,
    _mm256_setzero_pd, _mm256_setzero_ps, _mm256_shuffle_ps, _mm256_storeu_pd, _mm256_storeu_ps,
    _mm256_unpackhi_pd, _mm256_unpackhi_ps, _mm256_unpacklo_pd, _mm256_unpacklo_ps, _mm512_add_pd,
    _mm512_add_ps, _mm512_fmadd_pd, _mm512_fmadd_ps, _mm512_loadu_pd, _mm512_loadu_ps, _mm512_set1_pd,
    _mm512_set1_ps, _mm512_setzero_pd, _mm512_setzero_ps, _mm512_storeu_pd, _mm512_storeu_ps,
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

kernel!(AVX512_F32, avx512_f32, "avx512f,avx512vl,avx2,fma", f32, 8, [F32x16, F32x8], 8, super::turn_f32);
kernel!(AVX512_F64, avx512_f64, "avx512f,avx512vl,avx2,fma", f64, 8, [F64x8, F64x4], 4, super::turn_f64);
kernel!(AVX2_F32, avx2_f32, "avx2,fma", f32, 6, [F32x8, F32x4], 8, super::turn_f32);
kernel!(AVX2_F64, avx2_f64, "avx2,fma", f64, 6, [F64x4, F64x2], 4, super::turn_f64);

/// A square of eight: pairs of rows are interleaved, then pairs of pairs, then halves exchanged.
#[inline]
#[target_feature(enable = "avx")]
unsafe fn turn_f32(rows: [*const f32; 8], to: *mut f32, stride: usize) {
    // SAFETY: the caller's square has eight rows of eight elements, here and there.
    unsafe {
        let row = |i: usize| _mm256_loadu_ps(rows[i]);
        let mut halves = [_mm256_setzero_ps(); 8];
        for half in 0..2 {
            let [a, b, c, d] = [row(4 * half), row(4 * half + 1), row(4 * half + 2), row(4 * half + 3)];
            let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
            halves[4 * half] = _mm256_shuffle_ps::<0x44>(ab, cd);
            halves[4 * half + 1] = _mm256_shuffle_ps::<0xEE>(ab, cd);
            let (ab, cd) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
            halves[4 * half + 2] = _mm256_shuffle_ps::<0x44>(ab, cd);
            halves[4 * half + 3] = _mm256_shuffle_ps::<0xEE>(ab, cd);
        }
        for i in 0..4 {
            let (upper, lower) = (halves[i], halves[4 + i]);
            _mm256_storeu_ps(to.add(i * stride), _mm256_permute2f128_ps::<0x20>(upper, lower));
            _mm256_storeu_ps(to.add((4 + i) * stride), _mm256_permute2f128_ps::<0x31>(upper, lower));
        }
    }
}

/// A square of four, in the same way.
#[inline]
#[target_feature(enable = "avx")]
unsafe fn turn_f64(rows: [*const f64; 4], to: *mut f64, stride: usize) {
    // SAFETY: the caller's square has four rows of four elements, here and there.
    unsafe {
        let row = |i: usize| _mm256_loadu_pd(rows[i]);
        let [a, b, c, d] = [row(0), row(1), row(2), row(3)];
        let (upper, lower) = (
            [_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b)],
            [_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d)],
        );
        for i in 0..2 {
            _mm256_storeu_pd(to.add(i * stride), _mm256_permute2f128_pd::<0x20>(upper[i], lower[i]));
            _mm256_storeu_pd(to.add((2 + i) * stride), _mm256_permute2f128_pd::<0x31>(upper[i], lower[i]));
        }
    }
}

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
