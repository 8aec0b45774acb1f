//! Axes: where a value stands between two ends, and which values are named.

/// Above this ratio of the largest value to the least, equal ratios are equal distances.
const WIDE: f64 = 5.0;

/// An axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    low: f64,
    high: f64,
    /// Whether equal ratios are equal distances.
    pub is_log: bool,
}

impl Axis {
    /// From one end to the other.
    pub fn between(low: f64, high: f64) -> Self {
        Self { low, high, is_log: false }
    }

    /// For these values, with a little room at both ends; `None` without any.
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let ends = |ends: Option<(f64, f64)>, value: f64| {
            let (low, high) = ends.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        };
        let (low, high) = values.filter(|value| value.is_finite()).fold(None, ends)?;
        if low > 0.0 && high / low >= WIDE {
            let room = (high / low).powf(0.03);
            return Some(Self { low: low / room, high: high * room, is_log: true });
        }
        // A flat curve runs through the middle.
        let room = if high > low { 0.03 * (high - low) } else { (0.02 * high.abs()).max(1e-9) };
        Some(Self { low: low - room, high: high + room, is_log: false })
    }

    /// Where a value stands: 0 at the lower end, 1 at the upper.
    pub fn place(&self, value: f64) -> f64 {
        let way = |value: f64| if self.is_log { value.ln() } else { value };
        ((way(value) - way(self.low)) / (way(self.high) - way(self.low))).clamp(0.0, 1.0)
    }

    /// Round values at distances that are equal ratios, two or more and about so many.
    fn decades(&self, most: usize) -> Option<Vec<f64>> {
        if !self.is_log {
            return None;
        }
        let is_on = |value: &f64| (self.low..=self.high).contains(value);
        let rounds: [&[f64]; 3] = [&[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0]];
        let values = |rounds: &[f64]| {
            let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
            let all = decades.flat_map(|decade| rounds.iter().map(move |round| power(*round, decade)));
            all.filter(is_on).collect::<Vec<_>>()
        };
        rounds.into_iter().map(values).find(|values| (2..=most + 1).contains(&values.len()))
    }

    /// About so many round values on it, and their names.
    pub fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        let is_on = |value: &f64| (self.low..=self.high).contains(value);
        let linear = || {
            let step = round_above((self.high - self.low) / (most + 1) as f64);
            let first = (self.low / step).ceil() as i64;
            (first..).map(|number| number as f64 * step).take_while(is_on).collect()
        };
        let values: Vec<f64> = self.decades(most).unwrap_or_else(linear);
        values.into_iter().map(|value| (value, name(value))).collect()
    }
}

/// `round * 10^decade`, as it is written.
fn power(round: f64, decade: i32) -> f64 {
    // A power of ten below 1 is no binary fraction, but a quotient of two whole numbers is rounded once.
    if decade < 0 { round / 10f64.powi(-decade) } else { round * 10f64.powi(decade) }
}

/// The least of 1, 2 and 5 times a power of ten that is not below `value`.
pub fn round_above(value: f64) -> f64 {
    let decade = value.max(f64::MIN_POSITIVE).log10().floor() as i32;
    let rounds = [1.0, 2.0, 5.0, 10.0].map(|round| power(round, decade));
    rounds.into_iter().find(|round| *round >= value).unwrap_or(value)
}

/// A value in as few digits as say it.
pub fn name(value: f64) -> String {
    let (size, letter) = match value.abs() {
        size if size >= 1e9 => (1e9, "G"),
        size if size >= 1e6 => (1e6, "M"),
        size if size >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let digits = format!("{:.6}", value / size);
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{}{letter}", if digits == "-0" { "0" } else { digits })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(low: f64, high: f64, most: usize) -> Vec<String> {
        let axis = Axis::of([low, high].into_iter()).unwrap();
        axis.ticks(most).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn ticks_are_round_and_not_too_many() {
        assert_eq!(ticks(0.33, 5.6, 4), ["0.5", "1", "2", "5"]);
        assert_eq!(ticks(0.33, 5.6, 2), ["1", "3"]);
        assert_eq!(ticks(2.0, 3.0, 2), ["2", "2.5", "3"]);
        assert_eq!(ticks(2.0, 2.0, 3), ["2"]);
        assert_eq!(ticks(0.001, 50.0, 6), ["0.001", "0.01", "0.1", "1", "10"]);
        assert_eq!(ticks(0.0, 25_000.0, 3), ["0", "10k", "20k"]);
    }

    #[test]
    fn places_are_between_the_ends() {
        let axis = Axis::of([0.1, 10.0].into_iter()).unwrap();
        assert!(axis.is_log && (axis.place(1.0) - 0.5).abs() < 1e-9);
        assert!(axis.place(0.1) > 0.0 && axis.place(10.0) < 1.0);
        assert_eq!((axis.place(0.0), axis.place(1e9)), (0.0, 1.0));
        assert_eq!(Axis::of([f64::NAN].into_iter()), None);
        assert_eq!(Axis::between(0.0, 8.0).place(2.0), 0.25);
    }
}
