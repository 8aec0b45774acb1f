//! By how much the figures of two models differ.

use num_bigint::{BigInt, BigUint};

use crate::Figure;
use crate::cost::Cost;

/// A figure of two models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FigureChange {
    /// Which.
    pub figure: Figure,
    /// Of the first model.
    pub old: BigUint,
    /// Of the second.
    pub new: BigUint,
}

/// A share, exactly, in lowest terms: `numerator / denominator` of the old value was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relative {
    /// With the sign of the change.
    pub numerator: i128,
    /// Above zero.
    pub denominator: u128,
}

/// Every figure that needs no training run, in the order of the language reference.
pub fn figures(old: &Cost, new: &Cost) -> Vec<FigureChange> {
    let change = |(figure, old)| Some(FigureChange { figure, old, new: new.figure(figure)? });
    old.figures().filter_map(change).collect()
}

impl FigureChange {
    /// Whether both models have the same value.
    pub fn is_equal(&self) -> bool {
        self.old == self.new
    }

    /// What was added; below zero for what went away.
    pub fn delta(&self) -> BigInt {
        BigInt::from(self.new.clone()) - BigInt::from(self.old.clone())
    }

    /// The change as a share of the old value; `None` of nothing, and for values so large that
    /// lowest terms would take long.
    pub fn relative(&self) -> Option<Relative> {
        let delta = i128::try_from(self.delta()).ok()?;
        let old = u128::try_from(&self.old).ok().filter(|&old| old > 0)?;
        let common = greatest_common_divisor(delta.unsigned_abs(), old);
        let denominator = old / common;
        // The sign alone is left to carry: a quotient of magnitudes is never larger than either.
        let numerator = i128::try_from(delta.unsigned_abs() / common).ok()?;
        Some(Relative { numerator: if delta < 0 { -numerator } else { numerator }, denominator })
    }
}

/// Never zero, as `b` is not.
fn greatest_common_divisor(mut a: u128, mut b: u128) -> u128 {
    while a > 0 {
        (a, b) = (b % a, a);
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(old: u64, new: u64) -> FigureChange {
        FigureChange { figure: Figure::ParamsTotal, old: old.into(), new: new.into() }
    }

    #[test]
    fn shares_are_exact() {
        assert_eq!(change(12, 15).relative(), Some(Relative { numerator: 1, denominator: 4 }));
        assert_eq!(change(15, 12).relative(), Some(Relative { numerator: -1, denominator: 5 }));
        assert_eq!(change(7, 7).relative(), Some(Relative { numerator: 0, denominator: 1 }));
        assert_eq!(change(0, 7).relative(), None);
        assert_eq!(change(7, 0).delta(), BigInt::from(-7));
        let huge = FigureChange { old: BigUint::from(3u8).pow(500), ..change(0, 1) };
        assert_eq!(huge.relative(), None);
    }
}
