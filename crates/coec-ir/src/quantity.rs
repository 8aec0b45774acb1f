//! Exact decimal quantities with the language's units.

use std::cmp::Ordering;
use std::fmt;

use num_bigint::BigUint;
use serde::{Serialize, Serializer};

/// A non-negative number, exactly as written: `571214848`, `0.75G`, `16GiB`, `12%`, `3e-4`.
///
/// Joined as `numerator / 10^scale` so that `==` on a budget line means equality.
#[derive(Debug, Clone)]
pub struct Quantity {
    numerator: BigUint,
    scale: u32,
    text: String,
    bytes: bool,
    percent: bool,
}

/// Why a number could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseQuantityError {
    /// Not digits, a fraction, an exponent and a unit.
    Malformed,
    /// A suffix that is no unit of the language.
    UnknownUnit,
    /// More than [`Quantity::MAX_DIGITS`] digits, or an exponent beyond [`Quantity::MAX_EXPONENT`].
    OutOfRange,
}

/// Units and their factors. Decimal: k, M, G, T; binary: Ki, Mi, Gi.
const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
];

impl Quantity {
    /// Most digits a number may have.
    pub const MAX_DIGITS: usize = 400;
    /// Largest exponent in absolute value.
    pub const MAX_EXPONENT: i64 = 400;

    /// Reads a number with an optional unit.
    pub fn parse(text: &str) -> Result<Self, ParseQuantityError> {
        use ParseQuantityError::*;
        let digits_end = |s: &str| s.find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len());
        let whole_len = digits_end(text);
        let (whole, mut rest) = text.split_at(whole_len);
        let mut fraction = "";
        if let Some(after) = rest.strip_prefix('.') {
            let n = digits_end(after);
            (fraction, rest) = after.split_at(n);
            if fraction.is_empty() {
                return Err(Malformed);
            }
        }
        if whole.is_empty() {
            return Err(Malformed);
        }
        let mut exponent = 0i64;
        if let Some(after) = rest.strip_prefix(['e', 'E']) {
            let sign_len = usize::from(after.starts_with(['+', '-']));
            let n = digits_end(&after[sign_len..]);
            if n == 0 {
                return Err(Malformed);
            }
            exponent = after[..sign_len + n].parse().map_err(|_| OutOfRange)?;
            rest = &after[sign_len + n..];
        }
        if whole.len() + fraction.len() > Self::MAX_DIGITS || exponent.abs() > Self::MAX_EXPONENT {
            return Err(OutOfRange);
        }
        let percent = rest == "%";
        let bytes = !percent && rest.ends_with('B');
        let unit = if percent { "" } else { rest.strip_suffix('B').unwrap_or(rest) };
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(UnknownUnit)?;

        let digits = format!("{whole}{fraction}");
        let mut numerator = digits.parse::<BigUint>().map_err(|_| Malformed)? * *factor;
        let scale = fraction.len() as i64 - exponent + if percent { 2 } else { 0 };
        let scale = if scale < 0 {
            numerator *= BigUint::from(10u8).pow((-scale) as u32);
            0
        } else {
            scale as u32
        };
        Ok(Self { numerator, scale, text: text.to_string(), bytes, percent })
    }

    /// A whole number.
    pub fn integer(value: impl Into<BigUint>) -> Self {
        let numerator = value.into();
        Self { text: numerator.to_string(), numerator, scale: 0, bytes: false, percent: false }
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it carries a unit of bytes.
    pub fn is_bytes(&self) -> bool {
        self.bytes
    }

    /// Whether it is a percentage.
    pub fn is_percent(&self) -> bool {
        self.percent
    }

    /// The nearest f64.
    pub fn to_f64(&self) -> f64 {
        // Through decimal text, which rounds once; a division of two f64 would round thrice.
        format!("{}e-{}", self.numerator, self.scale).parse().unwrap_or(f64::INFINITY)
    }

    /// The value as an integer, if it is one that fits.
    pub fn to_u64(&self) -> Option<u64> {
        self.to_integer()?.try_into().ok()
    }

    /// The value as an integer, if it is one.
    pub fn to_integer(&self) -> Option<BigUint> {
        let unit = self.denominator();
        let whole = &self.numerator / &unit;
        (&whole * &unit == self.numerator).then_some(whole)
    }

    /// Numerator of the value over [`denominator`](Self::denominator).
    pub fn numerator(&self) -> &BigUint {
        &self.numerator
    }

    /// A power of ten.
    pub fn denominator(&self) -> BigUint {
        BigUint::from(10u8).pow(self.scale)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.numerator * other.denominator()).cmp(&(&other.numerator * self.denominator()))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// A whole number with its digits in groups of three: `1,234,567`.
pub fn grouped(number: impl ToString) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things in words: `1 expert`, `2 experts`.
pub fn counted(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// A number in small digits below the line.
pub(crate) fn subscript(number: usize) -> String {
    let digits = "₀₁₂₃₄₅₆₇₈₉";
    let digit = |c: char| digits.chars().nth(c.to_digit(10).unwrap_or(0) as usize).unwrap_or(c);
    number.to_string().chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_threes() {
        for (number, text) in [(0u128, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn units_are_exact() {
        for (text, value) in [
            ("571214848", 571_214_848u64),
            ("350M", 350_000_000),
            ("0.75G", 750_000_000),
            ("16GiB", 16 << 30),
            ("1.5Ki", 1536),
            ("2e3", 2000),
            ("100%", 1),
        ] {
            assert_eq!(Quantity::parse(text).unwrap().to_u64(), Some(value), "{text}");
        }
        assert_eq!(Quantity::parse("12%").unwrap().to_f64(), 0.12);
        assert_eq!(Quantity::parse("0.5").unwrap().to_u64(), None);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        use ParseQuantityError::*;
        for (text, error) in [
            ("", Malformed),
            (".5", Malformed),
            ("1.", Malformed),
            ("1e", Malformed),
            ("3X", UnknownUnit),
            ("1Kib", UnknownUnit),
            ("1e999", OutOfRange),
        ] {
            assert_eq!(Quantity::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn order_is_exact_across_scales() {
        let q = |t: &str| Quantity::parse(t).unwrap();
        assert_eq!(q("0.1"), q("10%"));
        assert!(q("0.3") < q("0.30000000000000000000001"));
    }

    #[test]
    fn small_digits_stand_for_digits() {
        assert_eq!(subscript(12), "₁₂");
    }
}
