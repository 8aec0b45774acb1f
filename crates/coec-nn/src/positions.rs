//! What a forward pass knows about positions: the rotary tables.

use std::f64::consts::TAU;

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Device, Tensor, TensorData};
use coec_ir::{Pairs, Rope};

/// Rotary tables for `count` positions from `start`, computed once per pass.
#[derive(Debug, Clone)]
pub struct Positions {
    start: usize,
    count: usize,
    device: Device,
    dtype: DType,
    tables: Vec<(Rope, usize, Tables)>,
}

/// cos and sin, each `[T, width/2]` of a rotated width.
pub type Tables = (Tensor<2>, Tensor<2>);

impl Positions {
    /// The positions `start..start + count`.
    pub fn new(start: usize, count: usize, device: &Device, dtype: DType) -> Self {
        Self { start, count, device: device.clone(), dtype, tables: Vec::new() }
    }

    /// The rotary tables of `rope` for heads of a width, all or the first dimensions of which turn.
    pub fn tables(&mut self, rope: &Rope, head_dim: usize) -> Tables {
        let width = rope.width(head_dim);
        if let Some((_, _, tables)) = self.tables.iter().find(|(r, w, _)| r == rope && *w == width) {
            return tables.clone();
        }
        let tables = self.compute(rope, width);
        self.tables.push((*rope, width, tables.clone()));
        tables
    }

    /// Computed on the host in f64: a product of position and frequency in f32 would be off by
    /// the position times 1e-7 radians.
    fn compute(&self, rope: &Rope, width: usize) -> Tables {
        let shape = [self.count, width / 2];
        let options = || (&self.device, self.dtype);
        if !has_values(&self.device) {
            return (Tensor::zeros(shape, options()), Tensor::zeros(shape, options()));
        }
        let (frequencies, magnitude) = (frequencies(rope, width), magnitude(rope));
        let (mut cos, mut sin) = (Vec::new(), Vec::new());
        for position in self.start..self.start + self.count {
            for frequency in &frequencies {
                let (s, c) = (position as f64 * frequency).sin_cos();
                cos.push(c * magnitude);
                sin.push(s * magnitude);
            }
        }
        let table = |values: Vec<f64>| {
            Tensor::<2>::from_data(TensorData::new(values, shape).convert_dtype(self.dtype), options())
        };
        (table(cos), table(sin))
    }
}

/// Whether tensors of this device have values; on the capture device nobody looks at them.
fn has_values(device: &Device) -> bool {
    !matches!(device.clone().inner().as_dispatch(), DispatchDevice::Capture(_))
}

/// Radians per position of each rotated pair.
pub fn frequencies(rope: &Rope, width: usize) -> Vec<f64> {
    let pairs = width / 2;
    let plain = |theta: f64, i: usize| theta.powf(-2.0 * i as f64 / width as f64);
    match *rope {
        Rope::Rope { theta, .. } => (0..pairs).map(|i| plain(theta, i)).collect(),
        Rope::Yarn { theta, factor, original, beta_fast, beta_slow, truncate, .. } => {
            // The dimension that turns `beta` times over the original positions.
            let dimension =
                |beta: f64| width as f64 * (original as f64 / (beta * TAU)).ln() / (2.0 * theta.ln());
            let whole = |dimension: f64, rounded: fn(f64) -> f64| {
                if truncate { rounded(dimension) } else { dimension }
            };
            let low = whole(dimension(beta_fast), f64::floor).max(0.0);
            let high = whole(dimension(beta_slow), f64::ceil).min(width as f64 - 1.0);
            let high = if low == high { high + 0.001 } else { high };
            (0..pairs)
                .map(|i| {
                    let ramp = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                    plain(theta, i) * ((1.0 - ramp) + ramp / factor)
                })
                .collect()
        }
    }
}

/// Factor of cos and sin.
fn magnitude(rope: &Rope) -> f64 {
    match *rope {
        Rope::Rope { .. } => 1.0,
        Rope::Yarn { factor, mscale, mscale_all_dim, .. } => m(mscale, factor) / m(mscale_all_dim, factor),
    }
}

/// Factor of the softmax scale.
pub fn softmax_factor(rope: &Rope) -> f64 {
    match *rope {
        Rope::Rope { .. } => 1.0,
        Rope::Yarn { factor, mscale_all_dim, .. } => m(mscale_all_dim, factor).powi(2),
    }
}

/// YaRN's `m(s) = 0.1 s ln(factor) + 1`.
fn m(scale: f64, factor: f64) -> f64 {
    0.1 * scale * factor.ln() + 1.0
}

/// Rotates the pairs of the last dimension of `[B, T, H, d]`, or of its first ones, as many as there are tables for.
pub fn rotate(x: Tensor<4>, (cos, sin): Tables, pairs: Pairs) -> Tensor<4> {
    let pairs = match pairs {
        Pairs::Halves => coec_kernels::Pairing::HalfSplit,
        Pairs::Neighbours => coec_kernels::Pairing::Neighbours,
    };
    coec_kernels::rotate(x, cos, sin, pairs)
}
