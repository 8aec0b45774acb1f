//! An order of the numbers below `n` that is never written down: where each stands is computed.

use coec_nn::random::mix;

/// A permutation of `0..n`, another for each key.
///
/// A Feistel network of four rounds over the smallest even number of bits that holds `n`; a number that
/// falls outside is sent through again until it is inside (Black and Rogaway, 2002: cycle walking), which
/// takes fewer than four turns on average.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    n: u64,
    half: u32,
    key: u64,
}

impl Order {
    /// The order of `0..n` for `key`.
    pub fn new(n: u64, key: u64) -> Self {
        let bits = 64 - n.saturating_sub(1).leading_zeros();
        Self { n, half: bits.div_ceil(2).max(1), key }
    }

    /// The number at `place`, both below `n`.
    pub fn at(self, place: u64) -> u64 {
        let mut number = self.turn(place);
        while number >= self.n {
            number = self.turn(number);
        }
        number
    }

    fn turn(self, number: u64) -> u64 {
        let mask = (1u64 << self.half) - 1;
        let (mut left, mut right) = (number >> self.half, number & mask);
        for round in 0..4u64 {
            let mixed = mix(right ^ mix(self.key ^ round)) & mask;
            (left, right) = (right, left ^ mixed);
        }
        left << self.half | right
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_number_has_one_place(n in 1u64..3000, key: u64) {
            let order = Order::new(n, key);
            let mut seen = vec![false; n as usize];
            for place in 0..n {
                let number = order.at(place);
                prop_assert!(number < n && !std::mem::replace(&mut seen[number as usize], true));
            }
        }
    }

    /// Places and their numbers are as uncorrelated as chance makes them, and keys give other orders.
    #[test]
    fn orders_look_random() {
        let n = 10_000u64;
        let of = |key| (0..n).map(|place| Order::new(n, key).at(place) as f64).collect::<Vec<_>>();
        let mean = (n - 1) as f64 / 2.0;
        let correlation = |a: &[f64], b: &[f64]| {
            let sum: f64 = a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum();
            sum / (n as f64 * ((n * n - 1) as f64 / 12.0))
        };
        let (identity, one, two): (Vec<f64>, _, _) = ((0..n).map(|i| i as f64).collect(), of(1), of(2));
        for pair in [[&identity, &one], [&one, &two], [&identity, &two]] {
            assert!(correlation(pair[0], pair[1]).abs() < 0.04);
        }
        let neighbours = one.windows(2).filter(|pair| (pair[0] - pair[1]).abs() < 1.5).count();
        assert!(neighbours < 20, "{neighbours}");
    }
}
