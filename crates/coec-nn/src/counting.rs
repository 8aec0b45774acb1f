//! What a model really computes: parameters and operations of the module itself.
//!
//! The module is built on Burn's capture device, where tensors have shapes but
//! no values, and its own forward pass and backward pass are run there. What
//! they multiply is read from the recorded operations. Nothing here knows the
//! closed form.

use burn::backend::{
    Autodiff, AutodiffBackend, BackendTensor, Capture, DispatchKindConversion, DispatchTensor,
};
use burn::tensor::{CaptureError, CapturedGraph, Device, Tensor, TensorId};
use burn_ir::{FloatOperationIr, IntOperationIr, MatmulOpIr, OperationIr};

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

/// Why a model could not be counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// The capture device refused the recording.
    #[error("the capture device refused the recording: {0}")]
    Scope(String),
    /// An operation whose FLOPs the counter does not know.
    #[error("the model runs `{0}`, whose FLOPs the counter does not know")]
    UnknownOperation(String),
}

impl CountError {
    /// The code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Scope(_) => "coec::capture::scope",
            Self::UnknownOperation(_) => "coec::capture::unknown_operation",
        }
    }
}

impl From<CaptureError> for CountError {
    fn from(error: CaptureError) -> Self {
        Self::Scope(error.to_string())
    }
}

/// Counts what `run` does on the device it is given: it builds a model there, and returns its
/// number of trained parameters and the loss of a forward pass.
pub fn count<E: From<CountError>>(
    run: impl FnOnce(&Device) -> Result<(u128, Tensor<1>), E>,
) -> Result<Counts, E> {
    let device = Device::capture();
    let mut counted = None;
    let graph = device.capture_scope(|scope| {
        counted = Some(run(&device.clone().autodiff()).map(|(params, loss)| (params, backward(loss))));
        scope.complete([], [])
    });
    // What went wrong in `run` says more than what the device makes of it.
    let (params, loss) = match counted.transpose()? {
        Some((params, loss)) => (params, Some(loss)),
        None => (0, None),
    };
    let graph = graph.map_err(CountError::from)?;
    let (forward, backward) = flops(&graph, loss)?;
    Ok(Counts { params, forward, backward, operations: graph.graph.operations.len() })
}

/// Runs the backward pass of a recorded loss; returns the loss's tensor.
fn backward(loss: Tensor<1>) -> TensorId {
    // `Tensor::backward` refuses captured tensors, but the tape is there.
    let tensor: Result<BackendTensor<Autodiff<Capture>>, _> =
        DispatchTensor::try_into_backend(loss.into_dispatch());
    let loss = tensor.expect("the loss was recorded on the capture device").float();
    let id = <Autodiff<Capture> as AutodiffBackend>::inner(loss.clone()).id();
    drop(Autodiff::<Capture>::backward(loss));
    id
}

/// FLOPs up to and including the loss, and after it.
fn flops(graph: &CapturedGraph, loss: Option<TensorId>) -> Result<(u128, u128), CountError> {
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
fn flops_of(operation: &OperationIr) -> Result<u128, CountError> {
    match operation {
        OperationIr::Float(_, FloatOperationIr::Matmul(matmul))
        | OperationIr::Int(IntOperationIr::Matmul(matmul)) => Ok(flops_of_matmul(matmul)),
        OperationIr::Module(_) | OperationIr::Custom(_) | OperationIr::Distributed(_) => {
            let name = format!("{operation:?}");
            let end = name.char_indices().map(|(i, _)| i).nth(60).unwrap_or(name.len());
            Err(CountError::UnknownOperation(name[..end].to_string()))
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
