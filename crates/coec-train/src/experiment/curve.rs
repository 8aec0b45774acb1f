//! The validation loss of a run against what it cost.

use crate::run_dir::{Metrics, metrics::seconds};

/// What a run spends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Optimizer steps.
    Steps,
    /// Tokens.
    Tokens,
    /// FLOPs, counted as `flops.train`.
    Flops,
    /// Seconds in steps.
    Seconds,
}

impl Axis {
    /// Every one, in the order of tables.
    pub const ALL: [Self; 4] = [Self::Steps, Self::Tokens, Self::Flops, Self::Seconds];

    /// How tables name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Tokens => "tokens",
            Self::Flops => "FLOPs",
            Self::Seconds => "seconds",
        }
    }
}

/// Validation losses of a run, each with what was spent until then.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curve(Vec<([f64; 4], f64)>);

impl Curve {
    /// Of a run whose steps cost `flops` FLOPs a token.
    pub fn of(metrics: &[Metrics], flops: f64) -> Self {
        let point = |(line, seconds): (&Metrics, f64)| {
            let loss = line.val_loss.filter(|loss| loss.is_finite())?;
            Some(([line.step as f64, line.tokens as f64, line.tokens as f64 * flops, seconds], loss))
        };
        Self(metrics.iter().zip(seconds(metrics)).filter_map(point).collect())
    }

    /// What was spent until the last evaluation.
    pub fn end(&self, axis: Axis) -> Option<f64> {
        self.0.last().map(|(spent, _)| spent[axis as usize])
    }

    /// The loss when so much was spent: that of an evaluation less than a step from there, as there is no run
    /// in between, else on the straight line between those around it. Nothing is said before the first and
    /// behind the last.
    pub fn at(&self, axis: Axis, spent: f64) -> Option<f64> {
        let of = |point: &([f64; 4], f64)| point.0[axis as usize];
        let step = |point: &([f64; 4], f64)| of(point) / point.0[Axis::Steps as usize];
        let behind = self.0.partition_point(|point| of(point) < spent);
        let after = self.0.get(behind)?;
        if of(after) - spent < step(after) {
            return Some(after.1);
        }
        let before = self.0.get(behind.checked_sub(1)?)?;
        let share = (spent - of(before)) / (of(after) - of(before));
        Some(before.1 + share * (after.1 - before.1))
    }

    /// The losses of several runs where the one that spends least ends; `None` if one of them says nothing
    /// there.
    pub fn at_equal(curves: &[&Self], axis: Axis) -> Option<(f64, Vec<f64>)> {
        let ends: Option<Vec<f64>> = curves.iter().map(|curve| curve.end(axis)).collect();
        let spent = ends?.into_iter().fold(f64::INFINITY, f64::min);
        let losses: Option<Vec<f64>> = curves.iter().map(|curve| curve.at(axis, spent)).collect();
        Some((spent, losses?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of ten tokens, at `rate` tokens a second, evaluated where there is a loss.
    fn curve(losses: &[Option<f64>], rate: f64, flops: f64) -> Curve {
        let lines: Vec<Metrics> = losses
            .iter()
            .zip(1..)
            .map(|(loss, step)| Metrics {
                tokens_per_s: rate,
                val_loss: *loss,
                ..Metrics::new(step, 10 * step)
            })
            .collect();
        Curve::of(&lines, flops)
    }

    #[test]
    fn losses_are_read_where_equal_was_spent() {
        let slow = curve(&[None, Some(4.0), None, Some(2.0)], 5.0, 3.0);
        let fast = curve(&[None, Some(5.0), None, Some(3.0)], 10.0, 2.0);
        let at = |axis| Curve::at_equal(&[&slow, &fast], axis).unwrap();
        assert_eq!(at(Axis::Steps), (4.0, vec![2.0, 3.0]));
        assert_eq!(at(Axis::Tokens), (40.0, vec![2.0, 3.0]));
        // The fast one ends with 80 FLOPs, a third of the way between the slow one's 60 and 120.
        let (spent, losses) = at(Axis::Flops);
        assert_eq!(spent, 80.0);
        assert!((losses[0] - (4.0 - 2.0 / 3.0)).abs() < 1e-12 && losses[1] == 3.0);
        // After 4 s, which is where the fast one ends, the slow one is evaluated for the first time.
        assert_eq!(at(Axis::Seconds), (4.0, vec![4.0, 3.0]));
    }

    #[test]
    fn nothing_is_said_where_nothing_was_measured() {
        let curve = curve(&[None, Some(4.0), Some(3.0)], 5.0, 1.0);
        assert_eq!(curve.at(Axis::Steps, 1.0), None);
        assert_eq!(curve.at(Axis::Steps, 4.0), None);
        assert_eq!(Curve::default().end(Axis::Steps), None);
    }
}
