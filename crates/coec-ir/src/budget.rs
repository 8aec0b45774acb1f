//! Budgets: rules a model, or a run, is held to.

use num_bigint::BigUint;
use serde::{Serialize, Serializer};

use crate::{Figure, Precision, Quantity, Recompute, Shard};

/// One line of a budget block.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    /// Whether a violation is a warning.
    pub warn: bool,
    /// What is compared.
    pub figure: Figure,
    /// How.
    pub comparison: Comparison,
    /// With what.
    pub target: Target,
    /// Allowed deviation as a share of the right-hand side.
    pub tolerance: Option<Quantity>,
    /// Whether it holds in every layer that has experts, rather than in sum.
    pub per_layer: bool,
    /// Under which conditions, for both sides.
    pub conditions: Conditions,
}

/// The comparison of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<=`.
    AtMost,
    /// `>=`.
    AtLeast,
    /// `==`.
    Equal,
}

impl Comparison {
    /// How specs write it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::AtMost => "<=",
            Self::AtLeast => ">=",
            Self::Equal => "==",
        }
    }
}

impl Serialize for Comparison {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.symbol())
    }
}

/// The right-hand side of a rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A number.
    Number(Quantity),
    /// A figure of another spec, or of this one.
    Figure {
        /// Which figure.
        figure: Figure,
        /// The spec's path as written, or none for the same model.
        spec: Option<String>,
    },
}

/// The backends that a measured rule may be for, as `--backend` names them.
pub const BACKENDS: &[&str] = &["cpu", "ndarray", "wgpu", "cuda"];

/// The conditions of a rule, in the order of the language reference.
pub const CONDITIONS: &[&str] = &["context", "batch", "precision", "recompute", "ranks", "shard", "backend"];

/// What a figure is computed for. A field left out takes the default that
/// [`Setting::of`](crate::cost::Setting::of) gives it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Conditions {
    /// Tokens per sequence; the model's context when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<usize>,
    /// Sequences; 1 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// Arithmetic; f32 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// What the backward pass computes again; nothing when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recompute: Option<Recompute>,
    /// Processes that train together; 1 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranks: Option<usize>,
    /// What is divided among them; nothing when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// For measured figures: the rule holds on this backend only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
}

impl Rule {
    /// Whether `actual` satisfies this rule with right-hand side `target`, exactly.
    pub fn holds(&self, actual: &Quantity, target: &Quantity) -> bool {
        // actual/a <=> target/t * (1 +- tolerance), all sides multiplied out to integers.
        let unit = self.tolerance.as_ref().map_or(BigUint::from(1u8), Quantity::denominator);
        let slack = self.tolerance.as_ref().map_or(BigUint::ZERO, |q| q.numerator().clone());
        let left = actual.numerator() * target.denominator() * &unit;
        let right = target.numerator() * actual.denominator();
        let high = &right * (&unit + &slack);
        let low = if slack >= unit { BigUint::ZERO } else { &right * (&unit - &slack) };
        match self.comparison {
            Comparison::AtMost => left <= high,
            Comparison::AtLeast => left >= low,
            Comparison::Equal => low <= left && left <= high,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(comparison: Comparison, tolerance: Option<&str>) -> Rule {
        Rule {
            warn: false,
            figure: Figure::ParamsTotal,
            comparison,
            target: Target::Number(Quantity::integer(0u8)),
            tolerance: tolerance.map(|t| Quantity::parse(t).unwrap()),
            per_layer: false,
            conditions: Conditions::default(),
        }
    }

    #[test]
    fn tolerance_is_relative_to_the_right_hand_side() {
        let q = |n: u64| Quantity::integer(n);
        let equal = rule(Comparison::Equal, Some("10%"));
        assert!(equal.holds(&q(110), &q(100)));
        assert!(!equal.holds(&q(111), &q(100)));
        assert!(equal.holds(&q(90), &q(100)));
        assert!(!equal.holds(&q(89), &q(100)));
        let most = rule(Comparison::AtMost, Some("10%"));
        assert!(most.holds(&q(110), &q(100)) && most.holds(&q(1), &q(100)) && !most.holds(&q(111), &q(100)));
        let least = rule(Comparison::AtLeast, Some("10%"));
        assert!(least.holds(&q(90), &q(100)) && !least.holds(&q(89), &q(100)));
    }

    #[test]
    fn equality_without_a_tolerance_is_exact() {
        let exact = rule(Comparison::Equal, None);
        assert!(exact.holds(&Quantity::parse("0.75G").unwrap(), &Quantity::integer(750_000_000u64)));
        assert!(!exact.holds(&Quantity::integer(750_000_001u64), &Quantity::parse("0.75G").unwrap()));
    }
}
