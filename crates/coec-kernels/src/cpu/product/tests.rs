//! Every kernel this machine has, against the definition.

use super::{Kernel, Multiply, ROUNDED, Rows, View, portable, product_with};
use crate::{Precision, cpu::Real};

/// Numbers that look random and are small enough that sums of their products are exact in f64.
fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % 17) as f64 - 8.0
    };
    (0..count).map(|_| next()).collect()
}

fn kernels<T: Multiply>(portable: Kernel<T>, others: &[(bool, Kernel<T>)]) -> Vec<Kernel<T>> {
    let there = others.iter().filter(|(is_there, _)| *is_there).map(|(_, kernel)| *kernel);
    std::iter::once(portable).chain(there).collect()
}

fn f32_kernels() -> Vec<Kernel<f32>> {
    #[cfg(target_arch = "x86_64")]
    let others = {
        use super::x86::{AVX2_F32, AVX512_F32, has_avx2, has_avx512};
        [(has_avx512(), AVX512_F32), (has_avx2(), AVX2_F32)]
    };
    #[cfg(target_arch = "aarch64")]
    let others = [(true, super::neon::NEON_F32)];
    kernels(portable::F32, &others)
}

fn f64_kernels() -> Vec<Kernel<f64>> {
    #[cfg(target_arch = "x86_64")]
    let others = {
        use super::x86::{AVX2_F64, AVX512_F64, has_avx2, has_avx512};
        [(has_avx512(), AVX512_F64), (has_avx2(), AVX2_F64)]
    };
    #[cfg(target_arch = "aarch64")]
    let others = [(true, super::neon::NEON_F64)];
    kernels(portable::F64, &others)
}

/// Rows, columns and depth around the sizes of tiles, strips and the depth that is summed at once.
const SIZES: [[usize; 3]; 12] = [
    [1, 1, 1],
    [3, 5, 0],
    [8, 32, 7],
    [9, 33, 16],
    [7, 15, 17],
    [13, 47, 40],
    [6, 9, 513],
    [17, 70, 1030],
    [64, 48, 5],
    [2, 100, 31],
    [5, 7, 1],
    [1, 8, 300],
];

/// `left` and `right` each as they are and transposed, onto rows with a gap between them, set and added.
fn check<T: Multiply>(kernel: Kernel<T>, convert: impl Fn(f64) -> T) {
    for [rows, cols, depth] in SIZES {
        let (a, b) = (numbers(rows * depth, 1), numbers(depth * cols, 2));
        let of = |values: &[f64]| values.iter().map(|&value| convert(value)).collect::<Vec<T>>();
        let turned = |values: &[f64], rows: usize, cols: usize| -> Vec<T> {
            (0..rows * cols).map(|i| convert(values[i % rows * cols + i / rows])).collect()
        };
        let lefts = [(of(&a), false), (turned(&a, rows, depth), true)];
        let rights = [(of(&b), false), (turned(&b, depth, cols), true)];
        for (left, left_turned) in &lefts {
            for (right, right_turned) in &rights {
                for adds in [false, true] {
                    let left = match left_turned {
                        true => View::new(left, depth, rows).transposed(),
                        false => View::new(left, rows, depth),
                    };
                    let right = match right_turned {
                        true => View::new(right, cols, depth).transposed(),
                        false => View::new(right, depth, cols),
                    };
                    let width = cols + 3;
                    let mut found = vec![convert(1.0); rows * width];
                    let parts = Rows::new(&mut found, rows, width).parts([rows, cols]);
                    let mut part = parts.into_iter().next().unwrap();
                    product_with(kernel, &mut part.to, left, right, adds, Precision::F32);
                    for i in 0..rows {
                        for j in 0..width {
                            let sum: f64 =
                                (0..depth).map(|p| a[i * depth + p] * b[p * cols + j.min(cols - 1)]).sum();
                            let expected = match (j < cols, adds) {
                                (false, _) => 1.0,
                                (true, true) => sum + 1.0,
                                (true, false) => sum,
                            };
                            assert!(
                                found[i * width + j] == convert(expected),
                                "{rows} x {cols} x {depth}: {i}, {j}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn products_of_f32_are_those_of_the_definition() {
    f32_kernels().into_iter().for_each(|kernel| check(kernel, |value| value as f32));
}

#[test]
fn products_of_f64_are_those_of_the_definition() {
    f64_kernels().into_iter().for_each(|kernel| check(kernel, |value| value));
}

/// What is computed together changes no bit: rows and columns in parts of any size.
#[test]
fn parts_have_the_bits_of_the_whole() {
    let [rows, cols, depth] = [37, 75, 1100];
    let values = |count, seed| numbers(count, seed).iter().map(|v| (*v as f32).sin()).collect::<Vec<f32>>();
    let (a, b) = (values(rows * depth, 3), values(depth * cols, 4));
    let both = [Precision::F32, Precision::Bf16];
    for (kernel, precision) in f32_kernels().into_iter().flat_map(|kernel| both.map(|p| (kernel, p))) {
        let mut whole = vec![0.0; rows * cols];
        let (left, right) = (View::new(&a, rows, depth), View::new(&b, depth, cols));
        product_with(kernel, &mut Rows::new(&mut whole, rows, cols), left, right, false, precision);
        for size in [[1, 1], [5, 75], [37, 31], [8, 16]] {
            let mut parts = vec![0.0; rows * cols];
            for mut part in Rows::new(&mut parts, rows, cols).parts(size) {
                let [rows, cols] = part.to.size();
                let left = left.transposed().columns(part.row, rows).transposed();
                product_with(kernel, &mut part.to, left, right.columns(part.col, cols), false, precision);
            }
            assert_eq!(parts, whole, "{size:?}");
        }
    }
}

/// In bf16 the product is that of the factors after each of their elements was rounded, wherever they are read,
/// and of them alone: what is added to is not.
fn check_rounded<T: Multiply>(kernel: Kernel<T>, convert: impl Fn(f64) -> T) {
    for [rows, cols, depth] in SIZES.into_iter().chain([[ROUNDED + 6, 35, 18]]) {
        let of = |count, seed| -> Vec<T> {
            numbers(count, seed)
                .iter()
                .enumerate()
                .map(|(i, v)| convert(v + (i as f64 + 1.0).sin() / 3.0))
                .collect()
        };
        let (left, right, out) = (of(depth * rows, 5), of(cols * depth, 6), of(rows * cols, 7));
        let rounded = |values: &[T]| values.iter().map(|value| value.to_bf16()).collect::<Vec<T>>();
        for turned in 0..4 {
            let multiplied = |left: &[T], right: &[T], precision| {
                let left = match turned & 1 {
                    0 => View::new(left, rows, depth),
                    _ => View::new(left, depth, rows).transposed(),
                };
                let right = match turned & 2 {
                    0 => View::new(right, depth, cols),
                    _ => View::new(right, cols, depth).transposed(),
                };
                let mut out = out.clone();
                product_with(kernel, &mut Rows::new(&mut out, rows, cols), left, right, true, precision);
                out.into_iter().map(Real::to_f64).collect::<Vec<f64>>()
            };
            let found = multiplied(&left, &right, Precision::Bf16);
            let expected = multiplied(&rounded(&left), &rounded(&right), Precision::F32);
            assert_eq!(found, expected, "{rows} x {cols} x {depth}, {turned}");
            assert!(depth == 0 || found != multiplied(&left, &right, Precision::F32));
            // What is rounded already stays what it is.
            assert_eq!(found, multiplied(&rounded(&left), &rounded(&right), Precision::Bf16));
        }
    }
}

#[test]
fn factors_are_rounded_wherever_they_are_read() {
    f32_kernels().into_iter().for_each(|kernel| check_rounded(kernel, |value| value as f32));
    f64_kernels().into_iter().for_each(|kernel| check_rounded(kernel, |value| value));
}
