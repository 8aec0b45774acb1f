//! Loops compiled for the vector units of the machine they run on.
//!
//! Rust never reorders or contracts floating-point arithmetic, so the wide
//! versions of a loop give the same bits as the narrow one.

/// Runs `$body`, a call of an `#[inline(always)]` function with these variables, compiled for the
/// widest vectors the machine has.
macro_rules! widest {
    ($($name:ident: $type:ty),* ; $T:ident => $body:expr) => {{
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")]
            fn wide<$T: $crate::cpu::Real>($($name: $type),*) {
                $body
            }
            #[target_feature(enable = "avx2,fma")]
            fn middle<$T: $crate::cpu::Real>($($name: $type),*) {
                $body
            }
            if std::arch::is_x86_feature_detected!("avx512f")
                && std::arch::is_x86_feature_detected!("avx512dq")
                && std::arch::is_x86_feature_detected!("avx512vl")
                && std::arch::is_x86_feature_detected!("avx512bw")
                && std::arch::is_x86_feature_detected!("fma")
            {
                // SAFETY: the machine has every feature the function is compiled for.
                return unsafe { wide::<$T>($($name),*) };
            }
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                // SAFETY: as above.
                return unsafe { middle::<$T>($($name),*) };
            }
        }
        $body
    }};
}
pub(crate) use widest;

use super::Real;

/// Partial sums kept side by side, so that a sum is vector code with a fixed order.
const LANES: usize = 16;

/// `sum of f(i)` for `i < n`, in a fixed order.
#[inline(always)]
pub(crate) fn sum<T: Real>(n: usize, f: impl Fn(usize) -> T) -> T {
    let mut lanes = [T::ZERO; LANES];
    let whole = n / LANES * LANES;
    let mut i = 0;
    while i < whole {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += f(i + lane);
        }
        i += LANES;
    }
    for (lane, i) in (whole..n).enumerate() {
        lanes[lane] += f(i);
    }
    together(lanes, |a, b| a + b)
}

/// All lanes in one, halves with halves.
#[inline(always)]
fn together<T: Real>(mut lanes: [T; LANES], with: impl Fn(T, T) -> T) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = with(lanes[lane], lanes[lane + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// The largest of `values`, ignoring NaN; -inf for none.
#[inline(always)]
pub(crate) fn max<T: Real>(values: &[T]) -> T {
    let mut lanes = [T::constant(f64::NEG_INFINITY); LANES];
    let chunks = values.chunks_exact(LANES);
    for (&value, lane) in chunks.remainder().iter().zip(&mut lanes) {
        *lane = if value > *lane { value } else { *lane };
    }
    for chunk in chunks {
        for (&value, lane) in chunk.iter().zip(&mut lanes) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    together(lanes, |a, b| if b > a { b } else { a })
}

/// `e^(scale (value - largest))` of each value in place; the largest, and their sum.
#[inline(always)]
pub(crate) fn exponentials<T: Real>(values: &mut [T], scale: T) -> [T; 2] {
    let top = max(values);
    for value in values.iter_mut() {
        *value = ((*value - top) * scale).exp();
    }
    [top, sum(values.len(), |i| values[i])]
}

/// The softmax of `scale` times a row, in place.
#[inline(always)]
pub(crate) fn softmax<T: Real>(row: &mut [T], scale: T) {
    let [_, sum] = exponentials(row, scale);
    let inverse = T::ONE / sum;
    row.iter_mut().for_each(|value| *value = *value * inverse);
}

/// The softmax of `scale` times a row and of one score more, `sink`, which is not scaled, in place; the
/// probability of that one.
#[inline(always)]
pub(crate) fn softmax_with_sink<T: Real>(row: &mut [T], scale: T, sink: T) -> T {
    let [top, sum] = exponentials(row, scale);
    // Whichever is greatest has the exponential 1; one minus the others' sum would have lost what is small.
    let ahead = scale * top - sink;
    let [of_row, of_sink] =
        if ahead > T::ZERO { [T::ONE, (T::ZERO - ahead).exp()] } else { [ahead.exp(), T::ONE] };
    let inverse = T::ONE / (sum * of_row + of_sink);
    let of_row = of_row * inverse;
    row.iter_mut().for_each(|value| *value = *value * of_row);
    of_sink * inverse
}

/// The gradient of a row from that of its softmax `probs`, in place of the latter:
/// `scale p (dp - sum of p dp)`. The sum.
#[inline(always)]
pub(crate) fn softmax_gradient<T: Real>(grad: &mut [T], probs: &[T], scale: T) -> T {
    let mean = sum(grad.len(), |i| grad[i] * probs[i]);
    for (grad, &p) in grad.iter_mut().zip(probs) {
        *grad = scale * p * (*grad - mean);
    }
    mean
}

/// Rounds every value to the nearest that bf16 has, ties to even.
pub(crate) fn round_to_bf16<T: Real>(values: &mut [T]) {
    widest!(values: &mut [T]; T => round_inline(values))
}

#[inline(always)]
fn round_inline<T: Real>(values: &mut [T]) {
    values.iter_mut().for_each(|value| *value = value.to_bf16());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sink far above the scores, among them and far below: each probability is right by itself.
    #[test]
    fn a_sink_takes_its_part() {
        let scores = [0.3, -1.7, 2.5, 0.0, 1.1];
        let scale = 0.7;
        for sink in [-60.0, -5.0, 0.0, 1.75, 4.0, 60.0] {
            let whole = scores.iter().map(|score| (scale * score - sink).exp()).sum::<f64>() + 1.0;
            let (mut narrow, mut wide) = (scores.map(|score| score as f32), scores);
            let sunk = softmax_with_sink(&mut narrow, scale as f32, sink as f32);
            let sunk = [f64::from(sunk), softmax_with_sink(&mut wide, scale, sink)];
            for (i, score) in scores.iter().enumerate() {
                let expected = (scale * score - sink).exp() / whole;
                assert!((f64::from(narrow[i]) / expected - 1.0).abs() < 2e-5, "{score}, {sink}");
                assert!((wide[i] / expected - 1.0).abs() < 1e-13, "{score}, {sink}");
            }
            assert!((sunk[0] * whole - 1.0).abs() < 2e-5 && (sunk[1] * whole - 1.0).abs() < 1e-13, "{sink}");
        }
    }

    /// A sink that is no number leaves none, and one that nothing can reach leaves the softmax.
    #[test]
    fn sinks_at_the_ends_of_numbers() {
        let scores = [0.3f32, -1.7, 2.5];
        let with = |sink: f32| {
            let mut row = scores;
            let sunk = softmax_with_sink(&mut row, 1.0, sink);
            (row, sunk)
        };
        let mut alone = scores;
        softmax(&mut alone, 1.0);
        let (row, sunk) = with(f32::NAN);
        assert!(sunk.is_nan() && row.iter().all(|value| value.is_nan()));
        let (row, sunk) = with(f32::NEG_INFINITY);
        assert_eq!(row, alone);
        assert!(sunk < 1e-37);
        let (row, sunk) = with(f32::INFINITY);
        assert_eq!(sunk, 1.0);
        assert!(row.iter().all(|&value| value < 1e-37));
    }

    /// All lengths around those of vectors, and ties among the values.
    #[test]
    fn slices_are_rounded_as_each_value_is() {
        for len in [0, 1, 15, 16, 17, 33, 70] {
            let values: Vec<f32> = (0..len).map(|i| f32::from_bits(0x3F80_8000 + i * 0x0001_7FFF)).collect();
            let mut rounded = values.clone();
            round_to_bf16(&mut rounded);
            let each: Vec<f32> = values.iter().map(|value| value.to_bf16()).collect();
            assert_eq!(rounded, each);
        }
    }
}
