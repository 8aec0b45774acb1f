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

    /// Causal attention over `context` positions, through a `window` if there is one: scores of width `qk` and
    /// their product with values of width `v`, widths summed over the heads.
    ///
    /// A token sees itself and those before it, or of these the last `window`; the implementation multiplies those
    /// that some query of its block sees, see [`query_block`].
    pub fn causal([qk, v]: [u128; 2], context: usize, window: Option<usize>) -> Self {
        let of = |pairs: u128| 2 * (qk + v) * pairs;
        Self { forward: of(pairs_seen(context, window)), executed: of(pairs_multiplied(context, window)) }
    }
}

/// Pairs of a token and one that it sees.
fn pairs_seen(context: usize, window: Option<usize>) -> u128 {
    // The first ones see fewer than the window: 1 + 2 + ... + N, and then N each.
    let (t, n) = (context as u128, window.unwrap_or(context).min(context) as u128);
    n * (n + 1) / 2 + (t - n) * n
}

/// Pairs of a token and one that its block sees.
fn pairs_multiplied(context: usize, window: Option<usize>) -> u128 {
    let block = query_block(context, window) as u128;
    // Beside its own r keys a block sees those before it, or of these the last N - 1: 0, r, 2 r, ... up to there.
    let (blocks, most) = (context as u128 / block, window.unwrap_or(context).saturating_sub(1) as u128);
    let all_before = (most / block + 1).min(blocks);
    let before = block * all_before * (all_before - 1) / 2 + (blocks - all_before) * most;
    (context as u128 + before) * block
}

/// The mean over `context` tokens: the nearest whole number.
pub(crate) fn of_a_token(sum: u128, context: usize) -> u128 {
    let tokens = context as u128;
    (sum + tokens / 2) / tokens
}

/// Queries that attention over `context` positions takes together, each multiplied with the keys that some of them
/// see: the largest divisor of the context up to 64, or up to a sixteenth of a long one but no more than a window. All
/// of them where they have none of 16 or more.
pub fn query_block(context: usize, window: Option<usize>) -> usize {
    let most = (context / 16).min(window.unwrap_or(context)).max(64);
    (16..=most).rev().find(|block| context.is_multiple_of(*block)).unwrap_or(context.max(1))
}

/// Rows whose logits are in memory at once while a loss is made of them.
pub const LOGIT_ROWS: usize = 256;

/// Probabilities that attention over `context` positions makes for a token and head, rounded up.
pub fn probabilities(context: usize, window: Option<usize>) -> u128 {
    pairs_multiplied(context, window).div_ceil(context as u128)
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
        let blocks = |contexts: &[usize]| contexts.iter().map(|&t| query_block(t, None)).collect::<Vec<_>>();
        assert_eq!(blocks(&[1, 17, 64, 65, 100, 128, 127, 1024]), [1, 17, 64, 65, 50, 64, 127, 64]);
        assert_eq!(blocks(&[4096, 4096 * 3, 40_960]), [256, 768, 2560]);
        assert_eq!(query_block(40_960, Some(128)), 128);
        for context in 1..600 {
            for window in [None, Some(1), Some(2), Some(17), Some(64), Some(context), Some(context + 3)] {
                let (block, flops) = (query_block(context, window), Flops::causal([3, 5], context, window));
                assert_eq!(context % block, 0);
                let reach = window.unwrap_or(context);
                let seen: usize = (0..context).map(|query| (query + 1).min(reach)).sum();
                assert_eq!(flops.forward, 2 * (3 + 5) * seen as u128);
                let first = |query: usize| (query / block * block).saturating_sub(reach - 1);
                let keys: usize = (0..context).map(|query| (query / block + 1) * block - first(query)).sum();
                assert_eq!(flops.executed, 2 * (3 + 5) * keys as u128, "{context} {window:?}");
                assert!(flops.executed >= flops.forward);
            }
        }
    }
}
