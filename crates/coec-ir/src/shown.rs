//! Numbers for people. k, M, G, T are decimal; Ki, Mi, Gi binary.

use crate::Unit;

/// Four significant digits and the unit's prefix: `571.2 M`, `1.500 GiB`, `53.1%`.
pub fn short(value: f64, unit: Unit) -> String {
    let scaled = |value: f64, base: f64, prefixes: [&'static str; 5]| {
        let mut value = value;
        let mut prefix = 0;
        while value.abs() >= base && prefix + 1 < prefixes.len() {
            value /= base;
            prefix += 1;
        }
        let digits = match value.abs() {
            v if prefix == 0 && v.fract() == 0.0 => 0,
            v if v >= 100.0 => 1,
            v if v >= 10.0 => 2,
            _ => 3,
        };
        (format!("{value:.digits$}"), prefixes[prefix])
    };
    match unit {
        Unit::Share => format!("{:.1}%", 100.0 * value),
        Unit::Bytes => {
            let (number, prefix) = scaled(value, 1024.0, ["", "Ki", "Mi", "Gi", "Ti"]);
            format!("{number} {prefix}B")
        }
        _ => {
            let (number, prefix) = scaled(value, 1000.0, ["", "k", "M", "G", "T"]);
            format!("{number} {prefix}").trim_end().to_string()
        }
    }
}

/// A whole number of very many digits by so many of the first, and how many there are: `1.234e56`.
pub fn first_digits(digits: &str, kept: usize) -> String {
    format!("{}.{}e{}", &digits[..1], &digits[1..kept], digits.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(short(571_214_848.0, Unit::Params), "571.2 M");
        assert_eq!(short(1.5 * 1024f64.powi(3), Unit::Bytes), "1.500 GiB");
        assert_eq!(short(10.0, Unit::Calls), "10");
        assert_eq!(short(0.531, Unit::Share), "53.1%");
        assert_eq!(first_digits(&format!("1234{}", "0".repeat(53)), 4), "1.234e56");
    }
}
