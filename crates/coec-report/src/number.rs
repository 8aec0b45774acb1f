//! Numbers for people: a few digits, decimal prefixes.

/// What prefixes stand for, and their exponents of a thousand.
const PREFIXES: [&str; 8] = ["", "k", "M", "G", "T", "P", "E", "Z"];

/// A text with a sign as long as a plus.
fn minus(text: String) -> String {
    text.replacen('-', "−", usize::from(text.starts_with('-')))
}

/// Four significant digits: `0.3666`, `12.35`, `1,235`; a dash of what is no number.
pub fn plain(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    minus(match value.abs() {
        0.0 => "0".into(),
        size if !(1e-3..1e7).contains(&size) => scientific(value),
        size if size < 1.0 => format!("{value:.4}"),
        size if size < 10.0 => format!("{value:.3}"),
        size if size < 100.0 => format!("{value:.2}"),
        size if size < 1000.0 => format!("{value:.1}"),
        _ if value < 0.0 => format!("-{}", coec_ir::grouped(format!("{:.0}", -value))),
        _ => coec_ir::grouped(format!("{value:.0}")),
    })
}

/// A loss: four decimals, of which the last may be noise and the third is not.
pub fn loss(value: f64) -> String {
    match value.is_finite() {
        true if value.abs() < 1e6 => minus(format!("{value:.4}")),
        _ => plain(value),
    }
}

/// `3.1e-5`.
fn scientific(value: f64) -> String {
    format!("{value:.1e}")
}

/// `45.3%`.
pub fn percent(share: f64) -> String {
    match 100.0 * share {
        value if !value.is_finite() => "–".into(),
        value if value != 0.0 && value.abs() < 0.1 => scientific(value) + "%",
        value => format!("{value:.1}%"),
    }
}

/// `3.655 M`.
pub fn short(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let (power, prefix) = prefix(value);
    let scaled = value / 1000f64.powi(power);
    let digits = match scaled.abs() {
        _ if power == 0 && scaled.fract() == 0.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        _ => 3,
    };
    format!("{scaled:.digits$} {prefix}").trim_end().to_owned()
}

/// The power of a thousand that a value is counted in, and its prefix.
pub fn prefix(value: f64) -> (i32, &'static str) {
    let mut power = 0;
    while value.abs() >= 1000f64.powi(power as i32 + 1) && power + 1 < PREFIXES.len() {
        power += 1;
    }
    (power as i32, PREFIXES[power])
}

/// `1 h 23 min`, `4 min 5 s`, `12.3 s`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "–".into();
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_few_digits() {
        assert_eq!(plain(0.36661), "0.3666");
        assert_eq!(plain(12.3456), "12.35");
        assert_eq!(plain(1234.6), "1,235");
        assert_eq!(plain(3.14e-5), "3.1e-5");
        assert_eq!(plain(f64::NAN), "–");
        assert_eq!((plain(-1234.6), loss(-0.031)), ("−1,235".into(), "−0.0310".into()));
        assert_eq!(short(3_654_784.0), "3.655 M");
        assert_eq!(short(999.0), "999");
        assert_eq!(percent(0.4531), "45.3%");
        assert_eq!(loss(0.36664), "0.3666");
    }

    #[test]
    fn durations_have_two_units() {
        assert_eq!(duration(12.34), "12.3 s");
        assert_eq!(duration(59.97), "1 min 0 s");
        assert_eq!(duration(111.0), "1 min 51 s");
        assert_eq!(duration(5025.0), "1 h 23 min");
        assert_eq!(duration(200_000.0), "2 d 7 h");
    }
}
