//! A line of `metrics.jsonl`.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};

use crate::json::{or_nan, schema};

/// What a step was like. A figure that is not known is NaN here and null in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The version of the format.
    #[serde(default = "schema")]
    pub schema: Cow<'static, str>,
    /// Steps done.
    pub step: u64,
    /// Tokens learned from so far.
    pub tokens: u64,
    /// Mean cross-entropy of the step's batch, in nats a token.
    #[serde(deserialize_with = "or_nan")]
    pub loss: f64,
    /// The weighted balance losses.
    #[serde(deserialize_with = "or_nan")]
    pub aux_loss: f64,
    /// Learning rate.
    #[serde(deserialize_with = "or_nan")]
    pub lr: f64,
    /// Global norm of the gradient, before clipping.
    #[serde(deserialize_with = "or_nan")]
    pub grad_norm: f64,
    /// Tokens a second.
    #[serde(deserialize_with = "or_nan")]
    pub tokens_per_s: f64,
    /// Share of the GEMM peak measured at start.
    #[serde(deserialize_with = "or_nan")]
    pub mfu: f64,
    /// Seconds in all steps so far, evaluation and saving apart. Runs of earlier versions do not say it.
    #[serde(default = "nan", deserialize_with = "or_nan")]
    pub seconds: f64,
    /// Mean cross-entropy of the validation batches, on evaluation steps.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_or_nan")]
    pub val_loss: Option<f64>,
}

impl Metrics {
    /// A step of which nothing is known yet.
    pub fn new(step: u64, tokens: u64) -> Self {
        Self {
            schema: schema(),
            step,
            tokens,
            loss: f64::NAN,
            aux_loss: f64::NAN,
            lr: f64::NAN,
            grad_norm: f64::NAN,
            tokens_per_s: f64::NAN,
            mfu: f64::NAN,
            seconds: f64::NAN,
            val_loss: None,
        }
    }
}

/// Seconds in steps up to each line of a log. Lines of earlier versions say only how many tokens a second were
/// made, from which it is counted.
pub fn seconds(lines: &[Metrics]) -> impl Iterator<Item = f64> + '_ {
    lines.iter().scan((0.0, 0), |(seconds, tokens), line| {
        let taken = line.tokens.saturating_sub(*tokens) as f64 / line.tokens_per_s;
        *tokens = line.tokens;
        *seconds = if line.seconds.is_finite() {
            line.seconds
        } else if taken.is_finite() {
            *seconds + taken
        } else {
            *seconds
        };
        Some(*seconds)
    })
}

fn nan() -> f64 {
    f64::NAN
}

fn some_or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    or_nan(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_counted_where_it_is_not_said() {
        let line =
            |step: u64, seconds| Metrics { tokens_per_s: 50.0, seconds, ..Metrics::new(step, 100 * step) };
        let lines = [line(1, f64::NAN), line(2, f64::NAN), line(3, 7.5), line(4, f64::NAN)];
        assert_eq!(seconds(&lines).collect::<Vec<_>>(), [2.0, 4.0, 7.5, 9.5]);
    }
}
