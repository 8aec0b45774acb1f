//! The second count, held against the first: what the capture device sees of the real module
//! against the closed form.

use burn::tensor::{Device, Int, Tensor};
use coec_ir::{
    Model, Verified,
    cost::{Cost, Setting},
};

pub use crate::counting::{CountError, Counts};
use crate::{
    build::BuildError,
    counting,
    maker::Source,
    model::{LanguageModel, Manner},
};

/// Why a model could not be counted, or why its counts do not agree.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CaptureError {
    /// The model could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The module could not be counted.
    #[error(transparent)]
    Count(#[from] CountError),
    /// Two counts of one thing.
    #[error("{what} of {place}: the closed form says {closed}, the captured module {captured}")]
    Disagreement {
        /// `parameters`, `forward FLOPs` or `backward FLOPs`.
        what: &'static str,
        /// `the embedding`, `layer 3` or `the whole model`.
        place: String,
        /// From the IR.
        closed: u128,
        /// From the module.
        captured: u128,
    },
}

impl CaptureError {
    /// The code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Build(error) => error.code(),
            Self::Count(error) => error.code(),
            Self::Disagreement { .. } => "coec::capture::disagreement",
        }
    }
}

/// Counts the module that `build` makes, in `setting`.
pub fn count(
    build: impl FnOnce(&Device) -> Result<LanguageModel, BuildError>,
    setting: Setting,
) -> Result<Counts, CaptureError> {
    let manner = Manner { recompute: setting.recompute, precision: setting.precision };
    counting::count(|device| {
        let model = build(device)?;
        let tokens = Tensor::<2, Int>::zeros([setting.batch, setting.context], device);
        let forward = model.forward_as(tokens.clone(), manner);
        Ok((model.parameter_count(), forward.loss(tokens)))
    })
}

/// Holds the closed form of `model` against the module that `build` makes.
///
/// Parameters, forward FLOPs and backward FLOPs must be equal; on a
/// disagreement the error names both numbers and the first part of the model
/// where they differ.
pub fn check(
    model: &Verified<Model>,
    setting: Setting,
    build: impl Fn(&Device) -> Result<LanguageModel, BuildError>,
) -> Result<Counts, CaptureError> {
    let closed = Closed::of(model, setting, model.layers.len());
    let whole = count(&build, setting)?;
    let Some(disagreement) = closed.compare(&whole, "the whole model".into()) else {
        return Ok(whole);
    };
    // Grow the model layer by layer until the counts part.
    for layers in 0..=model.layers.len() {
        let part = count(|device| build(device).map(|model| model.with_layers(layers)), setting)?;
        let place = match layers.checked_sub(1) {
            None => "the embedding and the head".to_string(),
            Some(layer) => format!("layer {layer}"),
        };
        if let Some(error) = Closed::of(model, setting, layers).compare(&part, place) {
            return Err(error);
        }
    }
    Err(disagreement)
}

/// [`check`] of the module that training would build.
pub fn check_built(model: &Verified<Model>, setting: Setting) -> Result<Counts, CaptureError> {
    check(model, setting, |device| LanguageModel::new(model, device, Source::Zeros))
}

/// The closed form of the first layers of a model.
struct Closed {
    params: u128,
    forward: u128,
    backward: u128,
}

impl Closed {
    fn of(model: &Verified<Model>, setting: Setting, layers: usize) -> Self {
        let cost = Cost::of(model, setting);
        let kinds = cost.order.iter().take(layers).map(|&kind| &cost.kinds[kind]);
        let mut sum = cost.outside.clone();
        kinds.for_each(|part| sum += part);
        let sequences = setting.batch as u128;
        // Every product has two factors that need a gradient, so backward is twice forward.
        let (forward, backward) = (sum.flops.executed, 2 * sum.flops.executed + sum.again);
        Self { params: sum.params, forward: forward * sequences, backward: backward * sequences }
    }

    fn compare(&self, captured: &Counts, place: String) -> Option<CaptureError> {
        let rows = [
            ("parameters", self.params, captured.params),
            ("forward FLOPs", self.forward, captured.forward),
            ("backward FLOPs", self.backward, captured.backward),
        ];
        rows.into_iter()
            .find(|(_, closed, captured)| closed != captured)
            .map(|(what, closed, captured)| CaptureError::Disagreement { what, place, closed, captured })
    }
}
