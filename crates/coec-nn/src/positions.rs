//! What a forward pass knows about positions: rotary tables and the causal mask.

use std::f64::consts::TAU;

use burn::tensor::{DType, Device, Tensor, TensorData};
use coec_ir::Rope;

/// Rotary tables and the causal mask for `count` positions from `start`, computed once per pass.
pub struct Positions {
    start: usize,
    count: usize,
    device: Device,
    dtype: DType,
    tables: Vec<(Rope, usize, Tables)>,
    mask: Option<Tensor<4>>,
}

/// cos and sin, each `[T, width/2]`.
pub type Tables = (Tensor<2>, Tensor<2>);

impl Positions {
    /// The positions `start..start + count`.
    pub fn new(start: usize, count: usize, device: &Device, dtype: DType) -> Self {
        // Token t sees keys 0..=start + t. One new token sees everything: no mask.
        let mask = (count > 1).then(|| {
            let keys = start + count;
            let mut values = vec![0.0f32; count * keys];
            for (t, row) in values.chunks_exact_mut(keys).enumerate() {
                row[start + t + 1..].fill(f32::NEG_INFINITY);
            }
            Tensor::<4>::from_data(TensorData::new(values, [1, 1, count, keys]), (device, dtype))
        });
        Self { start, count, device: device.clone(), dtype, tables: Vec::new(), mask }
    }

    /// Added to the scores: 0 where a token may look, -inf where not. `[1, 1, T, S]`.
    pub fn mask(&self) -> Option<Tensor<4>> {
        self.mask.clone()
    }

    /// The rotary tables of `rope` for a rotated width.
    pub fn tables(&mut self, rope: &Rope, width: usize) -> Tables {
        if let Some((_, _, tables)) = self.tables.iter().find(|(r, w, _)| r == rope && *w == width) {
            return tables.clone();
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
            let data = TensorData::new(values, [self.count, width / 2]).convert_dtype(self.dtype);
            Tensor::<2>::from_data(data, (&self.device, self.dtype))
        };
        let tables = (table(cos), table(sin));
        self.tables.push((*rope, width, tables.clone()));
        tables
    }
}

/// Radians per position of each rotated pair.
pub fn frequencies(rope: &Rope, width: usize) -> Vec<f64> {
    let pairs = width / 2;
    let plain = |theta: f64, i: usize| theta.powf(-2.0 * i as f64 / width as f64);
    match *rope {
        Rope::Rope { theta } => (0..pairs).map(|i| plain(theta, i)).collect(),
        Rope::Yarn { theta, factor, original, beta_fast, beta_slow, .. } => {
            // The dimension that turns `beta` times over the original positions.
            let dimension =
                |beta: f64| width as f64 * (original as f64 / (beta * TAU)).ln() / (2.0 * theta.ln());
            let low = dimension(beta_fast).floor().max(0.0);
            let high = dimension(beta_slow).ceil().min(width as f64 - 1.0);
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

/// Rotates pairs `(i, i + width/2)` of the last dimension of `[B, H, T, width]`.
pub fn rotate_half_split(x: Tensor<4>, (cos, sin): Tables) -> Tensor<4> {
    let half = x.dims()[3] / 2;
    let (cos, sin) = (cos.unsqueeze::<4>(), sin.unsqueeze::<4>());
    let (a, b) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
    let first = a.clone() * cos.clone() - b.clone() * sin.clone();
    let second = b * cos + a * sin;
    Tensor::cat(vec![first, second], 3)
}

/// Rotates neighbours `(2i, 2i + 1)` of the last dimension of `[B, H, T, width]`.
pub fn rotate_neighbours(x: Tensor<4>, (cos, sin): Tables) -> Tensor<4> {
    let [b, h, t, width] = x.dims();
    let (cos, sin) = (cos.reshape([1, 1, t, width / 2, 1]), sin.reshape([1, 1, t, width / 2, 1]));
    let pairs = x.reshape([b, h, t, width / 2, 2]);
    let (even, odd) = (pairs.clone().narrow(4, 0, 1), pairs.narrow(4, 1, 1));
    let first = even.clone() * cos.clone() - odd.clone() * sin.clone();
    let second = odd * cos + even * sin;
    Tensor::cat(vec![first, second], 4).reshape([b, h, t, width])
}
