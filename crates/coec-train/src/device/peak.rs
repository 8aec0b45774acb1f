//! The peak that utilisation is measured against.

use std::time::{Duration, Instant};

use burn::tensor::{Device, Int, Tensor, TensorData};

use coec_ir::Precision;
use coec_kernels::Precision as Factors;
use coec_nn::factors;

use super::{DeviceError, guarded};

/// Products of one size, of which the first is not timed.
const ROUNDS: usize = 12;

/// A product that takes longer than this is large enough.
const LONG_ENOUGH: Duration = Duration::from_millis(50);

/// Side of the smallest product that is tried.
const SMALLEST: usize = 256;

/// How far a product may be off. Sums of 8192 numbers in f32 are off by a millionth, those of factors in bf16 by
/// four thousandths.
const TOLERANCE: f64 = 1e-2;

/// FLOP/s of the best of several products in `precision` of square matrices on `device`: of 256 by 256, or twice as large
/// until a product takes a while, and at most `most` by `most`.
///
/// The peak of real products, by the kernels that models are made of and not of a data sheet, so that
/// utilisation says what is left to gain. What the device took for it is given back.
///
/// # Errors
///
/// When the device fails, or a product is wrong.
pub fn peak(device: &Device, most: usize, precision: Precision) -> Result<f64, DeviceError> {
    let peak = guarded(|| {
        let mut best: f64 = 0.0;
        let mut size = SMALLEST.min(most);
        loop {
            let (a, b) = (factor(size, 3, device), factor(size, 5, device));
            let seconds = fastest(&a, &b, device, factors(precision))?;
            check(coec_kernels::linear(a, b, factors(precision)), size)?;
            best = best.max(2.0 * (size as f64).powi(3) / seconds);
            if seconds >= LONG_ENOUGH.as_secs_f64() || 2 * size > most {
                return Ok(best);
            }
            size *= 2;
        }
    })?;
    device.memory_cleanup();
    peak
}

/// Seconds of the fastest product.
fn fastest(a: &Tensor<2>, b: &Tensor<2>, device: &Device, factors: Factors) -> Result<f64, DeviceError> {
    let mut best = f64::INFINITY;
    for round in 0..ROUNDS {
        let start = Instant::now();
        let product = coec_kernels::linear(a.clone(), b.clone(), factors);
        // A GPU is asked for the product, and then to be done; so is one that has nothing to do.
        device.sync().map_err(|error| DeviceError::Failed(error.to_string()))?;
        drop(product);
        let took = start.elapsed();
        if round > 0 {
            best = best.min(took.as_secs_f64());
        }
        if round > 1 && took > 4 * LONG_ENOUGH {
            break;
        }
    }
    Ok(best)
}

/// Each row is one number many times, which takes all bits of f32.
fn number(row: usize, by: usize) -> f32 {
    0.1 + ((row * by) % 7) as f32 / 3.0
}

fn factor(size: usize, by: usize, device: &Device) -> Tensor<2> {
    let rows: Vec<f32> = (0..size).map(|row| number(row, by)).collect();
    Tensor::<1>::from_data(TensorData::new(rows, [size]), device)
        .reshape([size, 1])
        .expand([size, size])
        .mul_scalar(1.0)
}

/// Looks at some rows of the product, the last among them.
fn check(product: Tensor<2>, size: usize) -> Result<(), DeviceError> {
    let rows = [0, size / 3, size - 1];
    let places = TensorData::new(rows.map(|row| row as i64).to_vec(), [rows.len()]);
    let found = product.clone().select(0, Tensor::<1, Int>::from_data(places, &product.device()));
    for (at, found) in found.into_data().iter::<f64>().enumerate() {
        let (row, column) = (rows[at / size], at % size);
        let expected = size as f64 * f64::from(number(row, 3)) * f64::from(number(column, 5));
        let error = (found / expected - 1.0).abs();
        if error.is_nan() || error > TOLERANCE {
            let operation = format!("a product of {size} by {size} matrices");
            return Err(DeviceError::Differs {
                operation,
                part: "the output".into(),
                found,
                expected,
                error,
            });
        }
    }
    Ok(())
}
