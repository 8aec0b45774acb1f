//! FLOPs: what a sequence costs, and a token of it.

use std::ops::{Add, AddAssign, Mul};

use serde::Serialize;

/// FLOPs of a forward pass, of all tokens of a sequence together: where a token's mean is no whole number, nothing
/// is rounded before it is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Flops {
    /// What the mathematics needs.
    pub forward: u128,
    /// What the implementation performs.
    pub executed: u128,
}

impl Flops {
    /// Work of which nothing is thrown away, as much for each of `context` tokens.
    pub fn exact(flops: u128, context: usize) -> Self {
        let flops = flops * context as u128;
        Self { forward: flops, executed: flops }
    }

    /// Those of one of `context` tokens, on average: the nearest whole number.
    pub fn per_token(self, context: usize) -> Self {
        let mean = |flops| of_a_token(flops, context);
        Self { forward: mean(self.forward), executed: mean(self.executed) }
    }

    /// Causal attention over `context` positions: scores of width `qk` and their
    /// product with values of width `v`, widths summed over the heads.
    ///
    /// A token sees `(T+1)/2` positions on average; the implementation multiplies those that the last query
    /// of its block sees, see [`query_block`].
    pub fn causal([qk, v]: [u128; 2], context: usize) -> Self {
        let (t, block) = (context as u128, query_block(context) as u128);
        // n blocks of r queries: r (r + 2 r + ... + n r) = T (T + r) / 2 products.
        Self { forward: (qk + v) * t * (t + 1), executed: (qk + v) * t * (t + block) }
    }
}

/// The mean over `context` tokens: the nearest whole number.
pub(crate) fn of_a_token(sum: u128, context: usize) -> u128 {
    let tokens = context as u128;
    (sum + tokens / 2) / tokens
}

/// Queries that attention over `context` positions takes together, each multiplied with the keys that the
/// last of them sees: the largest divisor of the context up to 64, or up to a sixteenth of a long one. All
/// of them where they have none of 16 or more.
pub fn query_block(context: usize) -> usize {
    let most = (context / 16).max(64);
    (16..=most).rev().find(|block| context.is_multiple_of(*block)).unwrap_or(context.max(1))
}

/// Rows whose logits are in memory at once while a loss is made of them.
pub const LOGIT_ROWS: usize = 256;

/// Probabilities that attention over `context` positions makes for a token and head, rounded up.
pub fn probabilities(context: usize) -> u128 {
    (context as u128 + query_block(context) as u128).div_ceil(2)
}

impl Add for Flops {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { forward: self.forward + other.forward, executed: self.executed + other.executed }
    }
}

impl AddAssign for Flops {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Mul<u128> for Flops {
    type Output = Self;
    fn mul(self, n: u128) -> Self {
        Self { forward: self.forward * n, executed: self.executed * n }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_divide_the_context() {
        assert_eq!([1, 17, 64, 65, 100, 128, 127, 1024].map(query_block), [1, 17, 64, 65, 50, 64, 127, 64]);
        assert_eq!([4096, 4096 * 3, 40_960].map(query_block), [256, 768, 2560]);
        for context in 1..2000 {
            let (block, flops) = (query_block(context), Flops::causal([3, 5], context));
            assert_eq!(context % block, 0);
            let seen: usize = (0..context).map(|query| (query / block + 1) * block).sum();
            assert_eq!(flops.executed, 2 * (3 + 5) * seen as u128);
            assert!(flops.executed >= flops.forward);
        }
    }
}
