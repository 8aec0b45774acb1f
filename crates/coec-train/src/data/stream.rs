//! Random numbers that are a function of their names.
//!
//! A run has one seed and no random state: every number it draws comes from a
//! [`Stream`] named by `(seed, step, purpose)`. To resume at step `n` is to ask
//! for the streams of step `n`.
//!
//! The generator is splitmix64 (Steele, Lea, Flood 2014) used as a counter: the
//! name is mixed into a key, and number `i` of the stream is `mix(key + i * GOLDEN)`.

use coec_nn::random::{GOLDEN, mix};

/// What a stream is drawn for. The numbers are part of the run's definition and never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Purpose {
    /// Initial weights; the step is the tensor's place in the walk.
    Init = 1,
    /// Which source a row is from; the step is the epoch, or the block of rows.
    Sources = 8,
    /// The order of windows; the step is the epoch.
    Windows = 3,
    /// Sampling of a token; the step is its position.
    Sample = 4,
    /// A built-in problem; the step is its index.
    Problem = 5,
}

/// A stream of random numbers, the same for the same name on every machine.
#[derive(Debug, Clone)]
pub struct Stream {
    key: u64,
    drawn: u64,
}

impl Stream {
    /// The stream of this name, from its beginning.
    pub fn new(seed: u64, step: u64, purpose: Purpose) -> Self {
        let mut key = mix(seed.wrapping_add(GOLDEN));
        key = mix(key ^ step.wrapping_add(GOLDEN));
        key = mix(key ^ (purpose as u64).wrapping_mul(GOLDEN));
        Self { key, drawn: 0 }
    }

    /// 64 uniform bits.
    pub fn next_u64(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        mix(self.key.wrapping_add(self.drawn.wrapping_mul(GOLDEN)))
    }

    /// Uniform in `[0, 1)`, with 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `0..n`, without bias; 0 when `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        // Lemire's method: the high half of a product, rejecting the uneven rest.
        let reject = n.wrapping_neg().checked_rem(n).unwrap_or(0);
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            if product as u64 >= reject {
                return (product >> 64) as u64;
            }
        }
    }

    /// Standard normal, by Box and Muller's transform.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Shuffles `items`, every order equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u64 + 1) as usize;
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_the_same_numbers_for_ever() {
        let mut stream = Stream::new(42, 7, Purpose::Windows);
        let first: Vec<u64> = (0..3).map(|_| stream.next_u64()).collect();
        assert_eq!(first, [0x794CC0564D34FF20, 0xE1246096E43C6B1A, 0x37EDDAEE3DCD21FB]);
    }

    #[test]
    fn every_part_of_the_name_matters() {
        let base = Stream::new(1, 2, Purpose::Windows).next_u64();
        assert_ne!(base, Stream::new(2, 2, Purpose::Windows).next_u64());
        assert_ne!(base, Stream::new(1, 3, Purpose::Windows).next_u64());
        assert_ne!(base, Stream::new(1, 2, Purpose::Sources).next_u64());
        assert_ne!(base, Stream::new(2, 1, Purpose::Windows).next_u64());
    }

    #[test]
    fn below_is_even_and_in_range() {
        let mut stream = Stream::new(0, 0, Purpose::Sample);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[stream.below(7) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (9_500..10_500).contains(&count)), "{counts:?}");
        assert_eq!(stream.below(1), 0);
        assert_eq!(stream.below(0), 0);
    }

    #[test]
    fn normal_has_mean_zero_and_variance_one() {
        let mut stream = Stream::new(3, 0, Purpose::Init);
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        let mean = draws.iter().sum::<f64>() / n as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn shuffle_permutes() {
        let mut items: Vec<u32> = (0..1000).collect();
        Stream::new(5, 0, Purpose::Windows).shuffle(&mut items);
        assert_ne!(items, (0..1000).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..1000).collect::<Vec<_>>());
    }
}
