//! How far each tensor moved from where the run began.

use std::borrow::Cow;

use coec_ir::Param;
use coec_nn::LanguageModel;
use serde::{Deserialize, Serialize};

/// `moved.json`: how far each tensor is from where the run began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    /// The version of the format.
    pub schema: Cow<'static, str>,
    /// Steps done.
    pub step: usize,
    /// Every named tensor, trained or state, in walk order.
    pub tensors: Vec<Distance>,
}

/// How far one tensor is from where it began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distance {
    /// Its name.
    pub name: String,
    /// The norm it began with: the root of the sum of all squares.
    pub start: f64,
    /// The norm of the difference.
    pub change: f64,
}

impl Moved {
    /// That of `model`, whose tensors were once what `start` gives for them. One tensor after the other, so
    /// that no second model is ever in memory. `None` as soon as `go_on` says no.
    pub fn of<E>(
        model: &LanguageModel,
        step: usize,
        mut start: impl FnMut(&Param) -> Result<Vec<f32>, E>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, E> {
        let mut tensors = Vec::new();
        let mut stopped = false;
        model.each_tensor(|param, now| {
            stopped = stopped || !go_on();
            if !stopped {
                tensors.push(Distance::between(param, &start(param)?, now));
            }
            Ok(())
        })?;
        Ok((!stopped).then(|| Self { schema: coec_ir::SCHEMA.into(), step, tensors }))
    }
}

impl Distance {
    fn between(param: &Param, start: &[f32], now: &[f32]) -> Self {
        let square = |value: f64| value * value;
        let norm = start.iter().map(|&value| square(value.into())).sum::<f64>();
        let pairs = start.iter().zip(now);
        let change = pairs.map(|(&start, &now)| square(f64::from(now) - f64::from(start))).sum::<f64>();
        Self { name: param.name.clone(), start: norm.sqrt(), change: change.sqrt() }
    }
}
