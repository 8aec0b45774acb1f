//! What is kept for the backward pass: what a training step's memory is made of.

use std::ops::Add;

/// Elements kept per token, by what they are kept as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Factors of products alone: rounded in bf16, which is all that their products read of them.
    pub factors: u128,
    /// Whatever something else reads too: a norm, a softmax, an activation, a router.
    pub others: u128,
}

impl Kept {
    /// All of them.
    pub fn elements(self) -> u128 {
        self.factors + self.others
    }
}

impl Add for Kept {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { factors: self.factors + other.factors, others: self.others + other.others }
    }
}
