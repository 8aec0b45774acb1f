//! Initial values, each tensor from a stream of its own.

use coec_ir::{Init, Param};

use crate::random::{GOLDEN, fnv1a, mix};

/// The values of a tensor at the start of training.
///
/// The stream derives from the seed and the tensor's name alone: two models
/// with a tensor of the same name and shape start from the same values, on
/// every backend and in every order of construction.
pub fn values(param: &Param, seed: u64) -> Vec<f32> {
    let count = param.elements() as usize;
    let mut stream = Stream::new(seed, &param.name);
    match param.init {
        Init::Ones => vec![1.0; count],
        Init::Zeros => vec![0.0; count],
        Init::Uniform { bound } => (0..count).map(|_| ((2.0 * stream.unit() - 1.0) * bound) as f32).collect(),
        Init::Normal { std } => {
            let mut values = Vec::with_capacity(count + 1);
            while values.len() < count {
                let (a, b) = stream.normals();
                values.extend([(a * std) as f32, (b * std) as f32]);
            }
            values.truncate(count);
            values
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Stream(u64);

impl Stream {
    fn new(seed: u64, name: &str) -> Self {
        let mut stream = Self(fnv1a(name.as_bytes()) ^ seed.wrapping_mul(GOLDEN));
        stream.next();
        stream
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Uniform in `(0, 1)`.
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Two independent standard normals (Box and Muller, 1958).
    fn normals(&mut self) -> (f64, f64) {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.unit()).sin_cos();
        (radius * cos, radius * sin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_values_have_the_declared_moments() {
        let param = Param::new("w", [400, 500], Init::LINEAR);
        let values = values(&param, 1);
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
        let var = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 2e-4, "{mean}");
        assert!((var.sqrt() - 0.02).abs() < 2e-4, "{}", var.sqrt());
    }

    #[test]
    fn router_values_fill_the_kaiming_interval() {
        let values = values(&Param::new("gate", [64, 16], Init::router(16)), 3);
        let largest = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        assert!(largest <= 0.25 && largest > 0.24, "{largest}");
    }

    #[test]
    fn streams_differ_by_name_and_seed() {
        let first = |name: &str, seed| values(&Param::new(name, [4], Init::LINEAR), seed);
        assert_eq!(first("a", 1), first("a", 1));
        assert_ne!(first("a", 1), first("b", 1));
        assert_ne!(first("a", 1), first("a", 2));
    }
}
