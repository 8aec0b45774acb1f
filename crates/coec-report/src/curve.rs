//! The losses of an arm as few points, each the mean over its seeds.

use std::collections::BTreeMap;

use crate::detail::spread;
use crate::values::{Arm, Step};

/// A place of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Steps done.
    pub step: f64,
    /// Tokens learned from.
    pub tokens: f64,
    /// Seconds spent in steps.
    pub seconds: f64,
    /// The mean over the seeds.
    pub loss: f64,
    /// The least and the greatest of them, where there are several.
    pub range: Option<(f64, f64)>,
}

impl Place {
    /// That of a single step.
    pub fn of(step: &Step) -> Self {
        let Step { step, tokens, seconds, loss, .. } = *step;
        Self { step: step as f64, tokens: tokens as f64, seconds, loss, range: None }
    }
}

/// A curve, and over how many steps each of its points is a mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Its places, in order.
    pub places: Vec<Place>,
    /// Steps that one point stands for.
    pub every: u64,
}

/// The losses in training, in at most `most` points.
pub fn training(arm: &Arm, most: usize) -> Curve {
    let steps = || arm.runs.iter().flat_map(|run| run.steps.iter().flatten());
    let last = steps().map(|step| step.step).max().unwrap_or(0);
    let every = last.div_ceil(most.max(1) as u64).max(1);
    let mut places: BTreeMap<u64, Vec<Place>> = BTreeMap::new();
    for run in &arm.runs {
        let mut means: BTreeMap<u64, Vec<&Step>> = BTreeMap::new();
        for step in run.steps.iter().flatten().filter(|step| step.loss.is_finite()) {
            means.entry(step.step.saturating_sub(1) / every).or_default().push(step);
        }
        for (bucket, steps) in means {
            let mean = |value: fn(&Step) -> f64| mean(steps.iter().map(|step| value(step)));
            places.entry(bucket).or_default().push(Place {
                step: mean(|step| step.step as f64),
                tokens: mean(|step| step.tokens as f64),
                seconds: mean(|step| step.seconds),
                loss: mean(|step| step.loss),
                range: None,
            });
        }
    }
    Curve { places: places.into_values().map(over_seeds).collect(), every }
}

/// The losses on held-out text, at most `most` of them, the first and the last among them.
pub fn held_out(arm: &Arm, most: usize) -> Curve {
    let mut places: BTreeMap<u64, Vec<Place>> = BTreeMap::new();
    for step in arm.runs.iter().flat_map(|run| run.steps.iter().flatten()) {
        if let Some(loss) = step.val_loss.filter(|loss| loss.is_finite()) {
            places.entry(step.step).or_default().push(Place { loss, ..Place::of(step) });
        }
    }
    let places: Vec<Vec<Place>> = places.into_values().collect();
    let chosen = spread(places.len(), most).into_iter().map(|at| over_seeds(places[at].clone()));
    Curve { places: chosen.collect(), every: 1 }
}

fn over_seeds(places: Vec<Place>) -> Place {
    let mean = |value: fn(&Place) -> f64| mean(places.iter().map(value));
    let losses = || places.iter().map(|place| place.loss);
    let range = (losses().fold(f64::INFINITY, f64::min), losses().fold(f64::NEG_INFINITY, f64::max));
    Place {
        step: mean(|place| place.step),
        tokens: mean(|place| place.tokens),
        seconds: mean(|place| place.seconds),
        loss: mean(|place| place.loss),
        range: (places.len() > 1).then_some(range),
    }
}

/// The mean of those that are numbers.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0u32);
    for value in values.filter(|value| value.is_finite()) {
        sum += value;
        count += 1;
    }
    sum / f64::from(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Run;

    fn run(losses: &[f64], every: u64) -> Run {
        let step = |(at, &loss): (usize, &f64)| {
            let step = at as u64 + 1;
            let val_loss = step.is_multiple_of(every).then_some(loss + 1.0);
            Step { step, tokens: 10 * step, seconds: step as f64, loss, val_loss }
        };
        Run { steps: Some(losses.iter().enumerate().map(step).collect()), ..Run::default() }
    }

    fn arm(runs: &[Run]) -> Arm {
        Arm { runs: runs.to_vec(), ..Arm::default() }
    }

    #[test]
    fn points_are_means_over_steps_and_seeds_with_the_range_of_the_seeds() {
        let curve = training(&arm(&[run(&[4.0, 2.0, 1.0, 1.0], 9), run(&[6.0, 4.0, 3.0, 3.0], 9)]), 2);
        assert_eq!(curve.every, 2);
        let first = curve.places[0];
        assert_eq!((first.step, first.tokens, first.loss, first.range), (1.5, 15.0, 4.0, Some((3.0, 5.0))));
        assert_eq!(curve.places[1].loss, 2.0);
    }

    #[test]
    fn one_run_has_no_range() {
        assert!(training(&arm(&[run(&[4.0, 2.0], 9)]), 9).places.iter().all(|place| place.range.is_none()));
    }

    #[test]
    fn steps_that_were_left_out_are_passed_over() {
        let curve = training(&arm(&[run(&[4.0, f64::NAN, 2.0], 9)]), 9);
        assert_eq!(curve.places.iter().map(|place| place.loss).collect::<Vec<_>>(), [4.0, 2.0]);
    }

    #[test]
    fn of_many_evaluations_the_last_stays() {
        let curve = held_out(&arm(&[run(&vec![1.0; 1000], 1)]), 5);
        assert_eq!(
            curve.places.iter().map(|place| place.step).collect::<Vec<_>>(),
            [1.0, 250.0, 500.0, 750.0, 1000.0]
        );
        assert_eq!(curve.places[0].loss, 2.0);
    }

    #[test]
    fn runs_that_know_no_time_have_no_place_in_it() {
        let mut old = run(&[1.0], 1);
        old.steps.iter_mut().flatten().for_each(|step| step.seconds = f64::NAN);
        assert!(training(&arm(&[old]), 5).places[0].seconds.is_nan());
    }
}
