//! Event files are what TensorBoard's own reader reads: tests/parity/make_tensorboard.py gave one to it, and kept
//! both.

mod common;

use std::collections::BTreeMap;
use std::fs;

use coec_train::{ExpertLine, run_dir::Metrics, run_dir::RunDir, tensorboard};
use serde::Deserialize;

/// When the last step is said to have ended.
const END: f64 = 1_700_000_000.0;

/// What the reader found: time, step and value of each name.
#[derive(Deserialize)]
struct Read {
    scalars: BTreeMap<String, Vec<(f64, u64, Option<f64>)>>,
    histograms: BTreeMap<String, Vec<(f64, u64, Histogram)>>,
}

/// Least and most, number, sum, sum of squares, where buckets end, how much is in each.
type Histogram = (f64, f64, f64, f64, f64, Vec<f64>, Vec<f64>);

fn logs() -> (Vec<Metrics>, Vec<ExpertLine>) {
    let run = RunDir::read_only(&common::root().join("tests/parity/goldens/tensorboard")).unwrap();
    (run.read_metrics().unwrap(), run.read_experts().unwrap())
}

fn golden(name: &str) -> Vec<u8> {
    fs::read(common::root().join("tests/parity/goldens/tensorboard").join(name)).unwrap()
}

#[test]
fn the_file_is_the_one_that_was_read() {
    let (metrics, experts) = logs();
    let mut events = Vec::new();
    tensorboard::write(&mut events, &metrics, &experts, END).unwrap();
    assert!(
        events == golden(&tensorboard::file_name(END as u64)),
        "run tests/parity/make_tensorboard.py again"
    );
}

#[test]
fn what_was_read_is_what_the_logs_say() {
    let (metrics, experts) = logs();
    let read: Read = serde_json::from_slice(&golden("read.json")).unwrap();
    // Files hold single precision, and JSON no number that is none.
    let number = |value: f64| Some(f64::from(value as f32)).filter(|value| value.is_finite());
    let all =
        |value: fn(&Metrics) -> f64| metrics.iter().map(|line| (line.step, number(value(line)))).collect();
    let val = |line: &Metrics| Some((line.step, number(line.val_loss?)));
    let expected: BTreeMap<&str, Vec<(u64, Option<f64>)>> = BTreeMap::from([
        ("loss", all(|line| line.loss)),
        ("aux_loss", all(|line| line.aux_loss)),
        ("lr", all(|line| line.lr)),
        ("grad_norm", all(|line| line.grad_norm)),
        ("tokens_per_s", all(|line| line.tokens_per_s)),
        ("mfu", all(|line| line.mfu)),
        ("val_loss", metrics.iter().filter_map(val).collect()),
    ]);
    let found = read.scalars.iter().map(|(name, values)| {
        (name.as_str(), values.iter().map(|&(_, step, value)| (step, value)).collect::<Vec<_>>())
    });
    assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);

    let mut seen = 0;
    for line in &experts {
        let name = format!("experts/layer_{}/iteration_{}", line.layer, line.iteration);
        let (_, _, histogram) =
            read.histograms[&name].iter().find(|(_, step, _)| *step == line.step as u64).unwrap();
        let counts: Vec<f64> = line.counts.iter().map(|&count| count as f64).collect();
        assert_eq!(histogram.6, counts, "{name}");
        assert_eq!((histogram.0, histogram.1), (0.0, counts.len() as f64));
        assert_eq!(histogram.2, counts.iter().sum::<f64>());
        seen += 1;
    }
    assert_eq!(seen, read.histograms.values().map(Vec::len).sum::<usize>());
}

#[test]
fn time_runs_as_the_steps_did() {
    let read: Read = serde_json::from_slice(&golden("read.json")).unwrap();
    let times: Vec<f64> = read.scalars["loss"].iter().map(|(time, ..)| time - END).collect();
    assert_eq!(times, [-3.0, -2.5, -0.5, 0.0]);
}
