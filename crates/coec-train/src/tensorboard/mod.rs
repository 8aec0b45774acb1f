//! Event files for TensorBoard, made from the logs of a run.
//!
//! `metrics.jsonl` stays the record: an event file says nothing that is not there, and can be made from it at any
//! time. Metrics have their own names; how often each expert was selected is a histogram over the experts,
//! `experts/layer_L/iteration_I`.

mod checksum;
mod event;
mod live;

use std::io::{self, Write};

use crate::{experts::ExpertLine, run_dir::Metrics};

use event::{Event, Value, What};

pub use live::{FOLDER, Live, none_if_missing};

/// The name of an event file that was begun at a time in seconds since 1970. Files are read in the order of
/// their names.
pub fn file_name(seconds: u64) -> String {
    format!("events.out.tfevents.{seconds:010}.coec")
}

/// Writes the whole of two logs as an event file. Steps have no time of day: the last one is said to have ended
/// at `end`, in seconds since 1970, and those before it as much earlier as the steps in between took.
pub fn write(out: &mut dyn Write, metrics: &[Metrics], experts: &[ExpertLine], end: f64) -> io::Result<()> {
    let took: f64 = seconds(metrics).sum();
    let mut time = end - took;
    let first = |what| Event { time, step: 0, what };
    for what in [What::Version, What::Starts] {
        out.write_all(&first(what).record())?;
    }
    let mut experts = experts.iter().peekable();
    for (line, seconds) in metrics.iter().zip(seconds(metrics)) {
        time += seconds;
        while let Some(load) = experts.next_if(|load| load.step as u64 <= line.step) {
            out.write_all(&of_experts(load, time).record())?;
        }
        out.write_all(&of_metrics(line, time).record())?;
    }
    Ok(())
}

/// Seconds that each step took, as far as its line says it.
fn seconds(metrics: &[Metrics]) -> impl Iterator<Item = f64> {
    let mut before = 0;
    metrics.iter().map(move |line| {
        let tokens = line.tokens.saturating_sub(std::mem::replace(&mut before, line.tokens));
        let seconds = tokens as f64 / line.tokens_per_s;
        if seconds.is_finite() { seconds } else { 0.0 }
    })
}

fn of_metrics(line: &Metrics, time: f64) -> Event {
    let values = [
        ("loss", Some(line.loss)),
        ("val_loss", line.val_loss),
        ("aux_loss", Some(line.aux_loss)),
        ("lr", Some(line.lr)),
        ("grad_norm", Some(line.grad_norm)),
        ("tokens_per_s", Some(line.tokens_per_s)),
        ("mfu", Some(line.mfu)),
    ];
    let scalar = |(name, value): (&str, Option<f64>)| Some((name.to_owned(), Value::Scalar(value? as f32)));
    Event { time, step: line.step, what: What::Values(values.into_iter().filter_map(scalar).collect()) }
}

fn of_experts(load: &ExpertLine, time: f64) -> Event {
    let pass = if load.pass == 0 { String::new() } else { format!("/pass_{}", load.pass) };
    let name = format!("experts/layer_{}{pass}/iteration_{}", load.layer, load.iteration);
    let values = vec![(name, Value::Counts(load.counts.clone()))];
    Event { time, step: load.step as u64, what: What::Values(values) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: u64, tokens_per_s: f64) -> Metrics {
        Metrics { tokens_per_s, ..Metrics::new(step, 100 * step) }
    }

    #[test]
    fn steps_end_as_long_before_each_other_as_they_took() {
        let metrics = [step(1, 50.0), step(2, 100.0), step(3, f64::NAN), step(4, 25.0)];
        assert_eq!(seconds(&metrics).collect::<Vec<_>>(), [2.0, 1.0, 0.0, 4.0]);
        // After the tokens of lines that are not there.
        assert_eq!(seconds(&metrics[3..]).collect::<Vec<_>>(), [16.0]);
    }

    #[test]
    fn a_loss_that_is_missing_is_left_out_and_one_that_is_no_number_is_not() {
        let names = |metrics: &Metrics| match of_metrics(metrics, 0.0).what {
            What::Values(values) => values.into_iter().map(|(name, _)| name).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        let line = step(1, 1.0);
        assert_eq!(names(&line), ["loss", "aux_loss", "lr", "grad_norm", "tokens_per_s", "mfu"]);
        assert_eq!(names(&Metrics { val_loss: Some(f64::NAN), ..line }).len(), 7);
    }
}
