//! A learning rate, or another number of the optimizer, of each arm's own: the best by validation.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Plan, arms::Arm};
use crate::{
    experiments::{progress::val_loss, run::Run},
    failure::Failure,
};

/// What is tried: a field of the optimizer with the values it may have.
#[derive(Debug, Clone)]
pub struct Tune {
    /// Of the optimizer: `lr`.
    pub field: String,
    /// As they were given.
    pub values: Vec<String>,
}

/// What was found for an arm.
#[derive(Debug, Clone, Serialize)]
pub struct Tuned {
    /// The field.
    pub field: String,
    /// The best of its values.
    pub value: String,
    /// Validation loss of each.
    pub val_loss: BTreeMap<String, f64>,
}

impl Tune {
    /// Reads `lr=1e-3,2e-3,4e-3`.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = || {
            Failure::input(
                "coec::compare::tune",
                format!("`--tune {text}` says no field of the optimizer with values to try"),
                "write FIELD=VALUE,VALUE: `--tune lr=1e-3,2e-3,4e-3`",
            )
        };
        let (field, values) = text.split_once('=').ok_or_else(wrong)?;
        let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
        if values.iter().any(|value| value.parse::<f64>().is_err()) || field.trim().is_empty() {
            return Err(wrong());
        }
        Ok(Self { field: field.trim().to_owned(), values })
    }

    /// The setting that gives the field a value.
    pub fn setting(&self, value: &str) -> String {
        format!("train.optimizer.{}={value}", self.field)
    }

    /// The runs that try the values for an arm, all of one seed that no compared run has: a value is not
    /// chosen by what it is then judged by.
    pub fn runs(&self, plan: &Plan, arm: &Arm) -> Vec<Run> {
        let seed = arm.train.seed + plan.seeds;
        let run = |value: &String| {
            let sets = vec![format!("train.seed={seed}"), self.setting(value)];
            plan.run(arm, &format!("tune-{}-{value}", self.field), &format!("{}={value}", self.field), sets)
        };
        self.values.iter().map(run).collect()
    }

    /// The value with the lowest loss; of equal ones the first.
    pub fn best(&self, runs: &[Run]) -> Result<Tuned, Failure> {
        let losses = self
            .values
            .iter()
            .zip(runs)
            .filter_map(|(value, run)| Some((value.clone(), val_loss(&run.dir)?)));
        let losses: Vec<(String, f64)> = losses.collect();
        let best = losses.iter().filter(|(_, loss)| loss.is_finite()).min_by(|a, b| a.1.total_cmp(&b.1));
        let Some((value, _)) = best else {
            return Err(Failure::environment(
                "coec::compare::no_loss",
                format!("no value of {} gave a validation loss", self.field),
                "try smaller values",
            ));
        };
        Ok(Tuned {
            field: self.field.clone(),
            value: value.clone(),
            val_loss: losses.iter().cloned().collect(),
        })
    }
}
