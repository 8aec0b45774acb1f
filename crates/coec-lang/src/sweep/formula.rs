//! Exact arithmetic of what follows from swept values.

use std::fmt;

use coec_ir::Quantity;
use num_bigint::{BigInt, BigUint};

use crate::ast::{Factor, Formula, Name, Power, Sign};

/// A fraction, never with zero below.
#[derive(Debug, Clone)]
pub(super) struct Number {
    above: BigInt,
    below: BigUint,
}

/// Digits beyond which a number is none that a field may hold.
const MOST_BITS: u64 = 4096;

impl Number {
    pub fn whole(value: u64) -> Self {
        Self { above: value.into(), below: 1u8.into() }
    }

    /// A number as the language writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let quantity = Quantity::parse(text).ok()?;
        Some(Self { above: quantity.numerator().clone().into(), below: quantity.denominator() })
    }

    /// The whole number that it is.
    fn to_whole(&self) -> Option<BigUint> {
        let (above, below) = (BigUint::try_from(self.above.clone()).ok()?, &self.below);
        let whole = &above / below;
        (&whole * below == above).then_some(whole)
    }

    /// As a setting writes it: a whole number, or one with a point where that may be.
    pub fn text(&self, is_whole: bool) -> Option<String> {
        match (self.to_whole(), is_whole) {
            (Some(whole), _) => Some(whole.to_string()),
            (None, true) => None,
            (None, false) => (self.above >= BigInt::ZERO).then(|| format!("{:?}", self.to_f64())),
        }
    }

    fn to_f64(&self) -> f64 {
        let number = |text: String| text.parse::<f64>().unwrap_or(f64::NAN);
        number(self.above.to_string()) / number(self.below.to_string())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_whole() {
            Some(whole) => write!(f, "{whole}"),
            None => write!(f, "{}, which is no whole number from 0 on", self.to_f64()),
        }
    }
}

/// The value of a formula, `known` being what fields hold; or why it has none.
pub(super) fn value_of(formula: &Formula, known: &dyn Fn(&Name) -> Option<Number>) -> Result<Number, String> {
    let mut sum = Number::whole(0);
    for (sign, factors) in &formula.terms {
        let mut product = Number::whole(1);
        for (power, factor) in factors {
            let factor = match factor {
                Factor::Number(number) => {
                    signed(&number.text).ok_or_else(|| format!("`{}` is no number", number.text))?
                }
                Factor::Field(name) => {
                    known(name).ok_or_else(|| format!("`{}` holds no number", name.text))?
                }
            };
            product = match power {
                Power::Times => {
                    Number { above: product.above * factor.above, below: product.below * factor.below }
                }
                Power::Over => over(product, factor).ok_or("it divides by zero")?,
            };
        }
        let above = match sign {
            Sign::Plus => {
                sum.above * BigInt::from(product.below.clone())
                    + product.above * BigInt::from(sum.below.clone())
            }
            Sign::Minus => {
                sum.above * BigInt::from(product.below.clone())
                    - product.above * BigInt::from(sum.below.clone())
            }
        };
        sum = Number { above, below: sum.below * product.below };
        if sum.above.bits().max(sum.below.bits()) > MOST_BITS {
            return Err("it is too large".into());
        }
    }
    Ok(sum)
}

/// A number that may have a minus in front.
fn signed(text: &str) -> Option<Number> {
    match text.strip_prefix('-') {
        Some(text) => Number::parse(text).map(|number| Number { above: -number.above, ..number }),
        None => Number::parse(text),
    }
}

fn over(product: Number, divisor: Number) -> Option<Number> {
    let below = divisor.above.magnitude().clone();
    if below == BigUint::ZERO {
        return None;
    }
    let above = product.above * BigInt::from(divisor.below);
    let above = if divisor.above < BigInt::ZERO { -above } else { above };
    Some(Number { above, below: product.below * below })
}
