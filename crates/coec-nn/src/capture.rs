//! The second count: parameters and operations of the real module.
//!
//! The module is built on Burn's capture device, where tensors have shapes but
//! no values, and its own forward pass and backward pass are run there. What
//! they multiply is read from the recorded operations. Nothing here knows the
//! closed form.

use burn::backend::{
    Autodiff, AutodiffBackend, BackendTensor, Capture, DispatchKindConversion, DispatchTensor,
};
use burn::tensor::{CaptureError as ScopeError, CapturedGraph, Device, Int, Tensor, TensorId};
use burn_ir::{FloatOperationIr, IntOperationIr, MatmulOpIr, OperationIr};
use coec_ir::{
    Model, Verified,
    cost::{Cost, Setting},
};

use crate::{
    build::{BuildError, Source},
    model::{LanguageModel, cross_entropy},
};

/// What the capture device saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Elements of the trained parameters.
    pub params: u128,
    /// FLOPs of the forward pass, all tokens together.
    pub forward: u128,
    /// FLOPs of the backward pass, all tokens together.
    pub backward: u128,
    /// Operations recorded.
    pub operations: usize,
}

/// Why a model could not be counted, or why its counts do not agree.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CaptureError {
    /// The model could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The capture device refused the recording.
    #[error("the capture device refused the recording: {0}")]
    Scope(String),
    /// An operation whose FLOPs the counter does not know.
    #[error("the model runs `{0}`, whose FLOPs the counter does not know")]
    UnknownOperation(String),
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
            Self::Scope(_) => "coec::capture::scope",
            Self::UnknownOperation(_) => "coec::capture::unknown_operation",
            Self::Disagreement { .. } => "coec::capture::disagreement",
        }
    }
}

impl From<ScopeError> for CaptureError {
    fn from(error: ScopeError) -> Self {
        Self::Scope(error.to_string())
    }
}

/// Counts the module that `build` makes, for `batch` sequences of `context` tokens.
pub fn count(
    build: impl FnOnce(&Device) -> Result<LanguageModel, BuildError>,
    batch: usize,
    context: usize,
) -> Result<Counts, CaptureError> {
    let device = Device::capture();
    let mut params = 0;
    let mut loss_id = None;
    let mut failed = None;
    let graph = device.capture_scope(|scope| {
        let device = device.clone().autodiff();
        match build(&device) {
            Ok(model) => {
                params = model.parameter_count();
                loss_id = Some(record(&model, &device, batch, context));
            }
            Err(error) => failed = Some(error),
        }
        scope.complete([], [])
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let (forward, backward) = flops(&graph, loss_id)?;
    Ok(Counts { params, forward, backward, operations: graph.graph.operations.len() })
}

/// Runs the forward and the backward pass; returns the loss's tensor.
fn record(model: &LanguageModel, device: &Device, batch: usize, context: usize) -> TensorId {
    let tokens = Tensor::<2, Int>::zeros([batch, context], device);
    let result = model.forward(tokens.clone());
    let loss = cross_entropy(result.logits, tokens);
    let loss = match result.aux_loss {
        Some(aux) => loss + aux,
        None => loss,
    };
    // `Tensor::backward` refuses captured tensors, but the tape is there.
    let tensor: Result<BackendTensor<Autodiff<Capture>>, _> =
        DispatchTensor::try_into_backend(loss.into_dispatch());
    let loss = tensor.expect("the loss was recorded on the capture device").float();
    let id = <Autodiff<Capture> as AutodiffBackend>::inner(loss.clone()).id();
    drop(Autodiff::<Capture>::backward(loss));
    id
}

/// FLOPs up to and including the loss, and after it.
fn flops(graph: &CapturedGraph, loss: Option<TensorId>) -> Result<(u128, u128), CaptureError> {
    let (mut forward, mut backward) = (0, 0);
    let mut passed = false;
    for operation in &graph.graph.operations {
        let count = flops_of(operation)?;
        if passed {
            backward += count;
        } else {
            forward += count;
        }
        passed |= operation.outputs().any(|tensor| Some(tensor.id) == loss);
    }
    Ok((forward, backward))
}

/// FLOPs of one recorded operation; an error for those that may hide a matrix product.
fn flops_of(operation: &OperationIr) -> Result<u128, CaptureError> {
    match operation {
        OperationIr::Float(_, FloatOperationIr::Matmul(matmul))
        | OperationIr::Int(IntOperationIr::Matmul(matmul)) => Ok(flops_of_matmul(matmul)),
        OperationIr::Module(_) | OperationIr::Custom(_) | OperationIr::Distributed(_) => {
            let name = format!("{operation:?}");
            let end = name.char_indices().map(|(i, _)| i).nth(60).unwrap_or(name.len());
            Err(CaptureError::UnknownOperation(name[..end].to_string()))
        }
        // Elementwise work, reductions, copies and creation: not counted, by convention.
        OperationIr::BaseFloat(_)
        | OperationIr::BaseInt(_)
        | OperationIr::BaseBool(_)
        | OperationIr::NumericFloat(..)
        | OperationIr::NumericInt(..)
        | OperationIr::Bool(_)
        | OperationIr::Int(_)
        | OperationIr::Float(..)
        | OperationIr::Activation(_)
        | OperationIr::Init(_)
        | OperationIr::Drop(_) => Ok(0),
    }
}

/// A multiply-add is 2 FLOPs: twice the output's elements times the length of each product.
fn flops_of_matmul(matmul: &MatmulOpIr) -> u128 {
    let inner = matmul.lhs.shape.iter().last().copied().unwrap_or(1);
    2 * matmul.out.shape.num_elements() as u128 * inner as u128
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
    let whole = count(&build, setting.batch, setting.context)?;
    let Some(disagreement) = closed.compare(&whole, "the whole model".into()) else {
        return Ok(whole);
    };
    // Grow the model layer by layer until the counts part.
    for layers in 0..=model.layers.len() {
        let part = count(
            |device| build(device).map(|model| model.with_layers(layers)),
            setting.batch,
            setting.context,
        )?;
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
}

impl Closed {
    fn of(model: &Verified<Model>, setting: Setting, layers: usize) -> Self {
        let cost = Cost::of(model, setting);
        let kinds = cost.order.iter().take(layers).map(|&kind| &cost.kinds[kind]);
        let (mut params, mut executed) = (cost.outside.params, cost.outside.flops.executed);
        for part in kinds {
            params += part.params;
            executed += part.flops.executed;
        }
        Self { params, forward: executed * setting.batch as u128 * setting.context as u128 }
    }

    fn compare(&self, captured: &Counts, place: String) -> Option<CaptureError> {
        // Every product has two factors that need a gradient, so backward is twice forward.
        let rows = [
            ("parameters", self.params, captured.params),
            ("forward FLOPs", self.forward, captured.forward),
            ("backward FLOPs", 2 * self.forward, captured.backward),
        ];
        rows.into_iter()
            .find(|(_, closed, captured)| closed != captured)
            .map(|(what, closed, captured)| CaptureError::Disagreement { what, place, closed, captured })
    }
}
