//! FLOPs: what a token costs.

use std::ops::{Add, AddAssign, Mul};

use serde::Serialize;

/// FLOPs per token of a forward pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Flops {
    /// What the mathematics needs.
    pub forward: u128,
    /// What the implementation performs.
    pub executed: u128,
}

impl Flops {
    /// Work of which nothing is thrown away.
    pub fn exact(flops: u128) -> Self {
        Self { forward: flops, executed: flops }
    }

    /// Causal attention over `context` positions: scores of width `qk` and their
    /// product with values of width `v`, widths summed over the heads.
    ///
    /// A token sees `(T+1)/2` positions on average; the implementation multiplies all `T`.
    pub fn causal(qk: u128, v: u128, context: usize) -> Self {
        let t = context as u128;
        Self { forward: (qk + v) * (t + 1), executed: 2 * (qk + v) * t }
    }
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
