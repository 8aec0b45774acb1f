//! Where values stand, and which of them are marked.

/// A mark on an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// The value it is at.
    pub value: f64,
    /// What is written there.
    pub label: String,
}

/// From values to places on the plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    is_log: bool,
    /// The values at both ends, in logarithms where it is logarithmic.
    from: (f64, f64),
    to: (f64, f64),
    /// The marks, in order.
    pub ticks: Vec<Tick>,
}

impl Scale {
    /// An even scale over `values`, with some air at the ends that `padded` asks for.
    pub fn linear(values: (f64, f64), to: (f64, f64), padded: bool, most: usize) -> Self {
        let (low, high) = spread(values);
        let air = if padded { (high - low) * 0.05 } else { 0.0 };
        let from = (low - air, high + air);
        Self { is_log: false, from, to, ticks: even_ticks(from.0, from.1, most) }
    }

    /// A logarithmic scale over `values`, all of them above zero.
    pub fn log(values: (f64, f64), to: (f64, f64), most: usize) -> Self {
        let (low, high) = (values.0.max(f64::MIN_POSITIVE).ln(), values.1.max(f64::MIN_POSITIVE).ln());
        let air = ((high - low) * 0.05).max(0.02);
        let from = (low - air, high + air);
        Self { is_log: true, from, to, ticks: log_ticks(from.0.exp(), from.1.exp(), most) }
    }

    /// Where a value stands.
    pub fn at(&self, value: f64) -> f64 {
        let value = if self.is_log { value.max(f64::MIN_POSITIVE).ln() } else { value };
        let share = (value - self.from.0) / (self.from.1 - self.from.0);
        self.to.0 + share.clamp(-0.5, 1.5) * (self.to.1 - self.to.0)
    }
}

/// The least and the greatest of the finite values; `None` of nothing.
pub fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.into_iter().filter(|value| value.is_finite());
    finite.fold(None, |extent, value| {
        let (low, high) = extent.unwrap_or((value, value));
        Some((value.min(low), value.max(high)))
    })
}

/// A span that is not empty.
fn spread((low, high): (f64, f64)) -> (f64, f64) {
    if high > low {
        return (low, high);
    }
    let around = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
    (low - around, low + around)
}

/// Round numbers with an even step, at most `most` of them.
fn even_ticks(low: f64, high: f64, most: usize) -> Vec<Tick> {
    let rough = (high - low) / most.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    if !(step.is_finite() && step > 0.0) {
        return Vec::new();
    }
    let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    let tick = |number: i64| {
        let value = number as f64 * step;
        Tick { value, label: label(value, decimals) }
    };
    (first..=last.min(first.saturating_add(50))).map(tick).collect()
}

/// Powers of ten, with 2 and 5 between where that is not too many; even numbers where there are none.
fn log_ticks(low: f64, high: f64, most: usize) -> Vec<Tick> {
    let powers = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
    let of = |factors: &[f64]| -> Vec<f64> {
        let all =
            powers.clone().flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)));
        all.filter(|value| (low..=high).contains(value)).collect()
    };
    let fine = of(&[1.0, 2.0, 5.0]);
    if fine.len() < 3 {
        return even_ticks(low, high, most).into_iter().filter(|tick| tick.value > 0.0).collect();
    }
    let mut values = if fine.len() <= most { fine } else { of(&[1.0]) };
    let every = values.len().div_ceil(most.max(1));
    values = values.into_iter().step_by(every).collect();
    values.into_iter().map(|value| Tick { value, label: power_label(value) }).collect()
}

/// With a fixed number of decimals, and digits in groups.
fn label(value: f64, decimals: usize) -> String {
    // Of zero, rounding may leave a sign.
    let value = if value == 0.0 { 0.0 } else { value };
    let text = format!("{value:.decimals$}");
    match decimals {
        0 if value.abs() >= 1000.0 => {
            let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("−", digits));
            format!("{sign}{}", coec_ir::grouped(digits))
        }
        _ => text.replace('-', "−"),
    }
}

/// `0.5`, `20`, `1e-5`.
fn power_label(value: f64) -> String {
    let power = value.log10().floor() as i32;
    match power {
        -3..=5 => label(value, (-power).max(0) as usize),
        _ => format!("{value:.0e}").replace('-', "−"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<&str> {
        scale.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn marks_are_round_and_few() {
        assert_eq!(
            labels(&Scale::linear((0.0, 400.0), (0.0, 1.0), false, 5)),
            ["0", "100", "200", "300", "400"]
        );
        assert_eq!(labels(&Scale::linear((-0.3, 0.31), (0.0, 1.0), false, 5)), ["−0.2", "0.0", "0.2"]);
        assert_eq!(
            labels(&Scale::linear((0.0, 100_000.0), (0.0, 1.0), false, 5)),
            ["0", "20,000", "40,000", "60,000", "80,000", "100,000"]
        );
    }

    #[test]
    fn logarithms_are_marked_by_powers_and_what_is_between() {
        assert_eq!(labels(&Scale::log((0.3, 6.0), (0.0, 1.0), 6)), ["0.5", "1", "2", "5"]);
        assert_eq!(labels(&Scale::log((1e-6, 1.0), (0.0, 1.0), 4)), ["1e−6", "1e−4", "0.01", "1"]);
        assert_eq!(
            labels(&Scale::log((1.05, 1.25), (0.0, 1.0), 5)),
            ["1.05", "1.10", "1.15", "1.20", "1.25"]
        );
    }

    #[test]
    fn values_stand_between_the_ends() {
        let scale = Scale::linear((0.0, 10.0), (100.0, 0.0), false, 5);
        assert_eq!((scale.at(0.0), scale.at(5.0), scale.at(10.0)), (100.0, 50.0, 0.0));
        let scale = Scale::log((1.0, 100.0), (0.0, 1.0), 5);
        assert!((scale.at(10.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn one_value_and_values_that_are_none_have_a_scale() {
        assert_eq!(extent([f64::NAN, 2.0, f64::INFINITY]), Some((2.0, 2.0)));
        assert_eq!(extent([f64::NAN]), None);
        assert!(!Scale::linear((2.0, 2.0), (0.0, 1.0), true, 5).ticks.is_empty());
        assert!(Scale::log((0.0, 0.0), (0.0, 1.0), 5).at(1.0).is_finite());
    }
}
