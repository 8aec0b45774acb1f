//! Means and intervals over seeds.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// How sure an interval is: over many experiments, so many of them hold the true difference.
pub const CONFIDENCE: f64 = 0.95;

/// Values over seeds, with their mean and spread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Their mean.
    pub mean: f64,
    /// The sample's standard deviation (divided by n - 1); of one value there is none.
    pub std: Option<f64>,
    /// Each value, in the order of the seeds.
    pub values: Vec<f64>,
}

impl Spread {
    /// Of values, of which there is one at least.
    pub fn of(values: Vec<f64>) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let std = (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
        Self { mean, std, values }
    }
}

/// The mean difference of two arms, seed by seed, with the interval that holds the true one.
///
/// Student's t over the pairs: mean +- t(n - 1) * std / sqrt(n). It takes the differences to be normal, and
/// nothing of the two arms to be alike; for the few seeds that there are, t is large (4.30 of three), which is
/// the price of few seeds. The same as `scipy.stats.ttest_rel(a, b).confidence_interval()`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// First less second.
    pub mean: f64,
    /// The interval's lower end; of one pair there is none.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// [`CONFIDENCE`].
    pub confidence: f64,
}

impl Difference {
    /// Of losses of the same seeds, in the same order.
    pub fn of(first: &[f64], second: &[f64]) -> Self {
        let pairs: Vec<f64> = first.iter().zip(second).map(|(first, second)| first - second).collect();
        let n = pairs.len() as f64;
        let Spread { mean, std, .. } = Spread::of(pairs);
        let half = std.and_then(|std| Some(quantile(n - 1.0)? * std / n.sqrt()));
        Self {
            mean,
            low: half.map(|half| mean - half),
            high: half.map(|half| mean + half),
            confidence: CONFIDENCE,
        }
    }

    /// What the interval says of the claim that the first arm's loss is lower.
    pub fn verdict(&self) -> Verdict {
        match (self.low, self.high) {
            (_, Some(high)) if high < 0.0 => Verdict::Established,
            (Some(low), _) if low > 0.0 => Verdict::Reversed,
            _ => Verdict::NotEstablished,
        }
    }
}

/// The point beyond which Student's t of so many degrees of freedom lies in half of what [`CONFIDENCE`] leaves.
fn quantile(freedom: f64) -> Option<f64> {
    let t = StudentsT::new(0.0, 1.0, freedom).ok()?;
    Some(t.inverse_cdf(0.5 + CONFIDENCE / 2.0))
}

/// What an experiment shows of the claim that its first arm's loss is lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is.
    Established,
    /// It may be either way.
    NotEstablished,
    /// The second's is.
    Reversed,
}

#[cfg(test)]
mod tests {
    use coec_nn::random::mix;

    use super::*;

    /// What `scipy` says of the same numbers: tests/parity/make_statistics.py.
    const GOLDEN: &str = include_str!("../../../../tests/parity/goldens/statistics.json");

    #[derive(Deserialize)]
    struct Case {
        first: Vec<f64>,
        second: Vec<f64>,
        mean: f64,
        low: f64,
        high: f64,
        means: [f64; 2],
        stds: [f64; 2],
    }

    #[test]
    fn intervals_are_those_of_scipy() {
        let cases: Vec<Case> = serde_json::from_str(GOLDEN).unwrap();
        assert!(cases.len() >= 20);
        for Case { first, second, mean, low, high, means, stds } in cases {
            let near = |a: f64, b: f64| assert!((a - b).abs() <= 1e-9 * b.abs().max(1e-6), "{a} {b}");
            let found = Difference::of(&first, &second);
            near(found.mean, mean);
            near(found.low.unwrap(), low);
            near(found.high.unwrap(), high);
            for (values, (mean, std)) in [first, second].into_iter().zip(means.into_iter().zip(stds)) {
                let spread = Spread::of(values);
                near(spread.mean, mean);
                near(spread.std.unwrap(), std);
            }
        }
    }

    /// A standard normal number, by Box and Muller.
    fn normal(n: u64) -> f64 {
        let uniform = |n| (mix(n) >> 11) as f64 / (1u64 << 53) as f64;
        (-2.0 * (1.0 - uniform(2 * n)).ln()).sqrt() * (std::f64::consts::TAU * uniform(2 * n + 1)).cos()
    }

    /// Of 40,000 experiments whose true difference is known, as many hold it as the confidence says, whatever
    /// the number of seeds; and of experiments without a difference, one in twenty claims one.
    #[test]
    fn as_many_intervals_hold_the_truth_as_they_say() {
        const TRIALS: u64 = 40_000;
        for seeds in [2u64, 3, 5] {
            for truth in [0.0, -0.3] {
                let mut held = 0;
                let mut claimed = 0;
                for trial in 0..TRIALS {
                    let draw =
                        |arm: u64, seed: u64| normal((trial * 2 + arm) * seeds + seed + seeds * 1_000_000);
                    // What a seed does to both arms alike is no part of their difference.
                    let first: Vec<f64> =
                        (0..seeds).map(|seed| 5.0 * normal(seed) + draw(0, seed) + truth).collect();
                    let second: Vec<f64> =
                        (0..seeds).map(|seed| 5.0 * normal(seed) + draw(1, seed)).collect();
                    let found = Difference::of(&first, &second);
                    held += u64::from(found.low.unwrap() <= truth && truth <= found.high.unwrap());
                    claimed += u64::from(found.verdict() != Verdict::NotEstablished);
                }
                let (held, claimed) = (held as f64 / TRIALS as f64, claimed as f64 / TRIALS as f64);
                // Four standard errors of a share of 40,000.
                assert!((held - CONFIDENCE).abs() < 0.0044, "{seeds} seeds: {held}");
                if truth == 0.0 {
                    assert!((claimed - (1.0 - CONFIDENCE)).abs() < 0.0044, "{seeds} seeds: {claimed}");
                }
            }
        }
    }

    #[test]
    fn one_seed_establishes_nothing() {
        let found = Difference::of(&[1.0], &[2.0]);
        assert_eq!((found.mean, found.low, found.high), (-1.0, None, None));
        assert_eq!(found.verdict(), Verdict::NotEstablished);
    }

    #[test]
    fn verdicts_are_about_the_first_arm() {
        let [low, high] = [[1.0, 1.1, 1.2], [2.0, 2.1, 2.2]];
        assert_eq!(Difference::of(&low, &high).verdict(), Verdict::Established);
        assert_eq!(Difference::of(&high, &low).verdict(), Verdict::Reversed);
        assert_eq!(Difference::of(&[1.0, 2.0], &[2.0, 1.0]).verdict(), Verdict::NotEstablished);
    }
}
