//! Segments of a computation that are run again in the backward pass, rather than kept.
//!
//! Burn's own checkpointing computes single elementwise operations again. Here a whole segment is, whatever
//! it is made of: on the tape it is one step, which keeps the segment's inputs. Its backward pass runs the
//! segment on a tape of its own and goes back through that, so that no more than one is ever kept.
#![allow(deprecated)] // NdArray stays until upstream removes it

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::{
    AutodiffBackend, Backend, BackendTensor, DispatchKindConversion, DispatchTensor, DispatchTensorKind,
    TensorMetadata,
    autodiff::{
        Autodiff, NodeId,
        checkpoint::{base::Checkpointer, strategy::NoCheckpointing},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    ops::FloatTensorOps,
    tensor::FloatTensor,
};

/// A segment of a computation: from `x` and the leaves to the outputs. It is handed the same values as
/// before, as leaves of another tape.
pub type Segment = Box<dyn FnOnce(DispatchTensor, Vec<DispatchTensor>) -> Vec<DispatchTensor> + Send>;

/// Puts `outputs` on the tape of what they were computed from: `x`, and the parameters in `leaves`. They
/// were computed without a tape, and `again` computes them once more, in the backward pass.
///
/// The gradients are those of a tape that had kept everything, to the bit where the same operations on the
/// same values give the same bits: the steps back are the same ones, in the same order.
///
/// Without a tape the outputs are returned as they are.
///
/// # Panics
///
/// When the tensors are on several devices, when their device checkpoints by itself, and on a backend that no
/// operation of this crate has.
pub fn recomputed(
    x: DispatchTensor,
    leaves: Vec<DispatchTensor>,
    outputs: Vec<DispatchTensor>,
    again: Segment,
) -> Vec<DispatchTensor> {
    let DispatchTensorKind::Autodiff(inner) = &x.kind else { return outputs };
    match **inner {
        #[cfg(feature = "flex")]
        DispatchTensorKind::Flex(_) => attach::<burn::backend::Flex>(x, leaves, outputs, again),
        #[cfg(feature = "ndarray")]
        DispatchTensorKind::NdArray(_) => attach::<burn::backend::NdArray>(x, leaves, outputs, again),
        #[cfg(feature = "cube")]
        DispatchTensorKind::Cube(_) => attach::<burn::backend::Cube>(x, leaves, outputs, again),
        DispatchTensorKind::Capture(_) => attach::<burn::backend::Capture>(x, leaves, outputs, again),
        _ => panic!("no operation of this crate, recomputation neither, has a kernel for this backend"),
    }
}

/// A tensor on a tape.
type Taped<B> = FloatTensor<Autodiff<B>>;

/// Gradients of outputs, by the outputs' numbers, in the order they came.
type Received<B> = Arc<Mutex<Vec<(usize, FloatTensor<B>)>>>;

fn attach<B: Backend>(
    x: DispatchTensor,
    leaves: Vec<DispatchTensor>,
    outputs: Vec<DispatchTensor>,
    again: Segment,
) -> Vec<DispatchTensor>
where
    DispatchTensor: DispatchKindConversion<Autodiff<B>>,
{
    let x = taped::<B>(x);
    let leaves: Vec<Taped<B>> = leaves.into_iter().map(taped::<B>).collect();
    // A step has a fixed number of parents. The tape must reach `x` through this one; leaves are where it
    // ends, and are handed their gradients by name. One of them is a parent, so that there is a step also
    // where nothing goes back to `x`.
    let nodes = [x.node(), leaves.first().unwrap_or(&x).node()];
    let OpsKind::Tracked(step) = RunAgain.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() else {
        return outputs;
    };
    let received = Received::<B>::default();
    let nothing = nothing::<B>(&x);
    let saved = Saved::<B> {
        leaves: leaves.into_iter().map(|leaf| (leaf.id(), leaf.into_primitive())).collect(),
        x: x.into_primitive(),
        segment: Once(Arc::new(Mutex::new(Some(again)))),
        received: received.clone(),
    };
    let handle = step.finish(saved, nothing);
    let output = |(number, output): (usize, DispatchTensor)| {
        let value = taped::<B>(output).into_primitive();
        match Output.prepare::<NoCheckpointing>([handle.node()]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((number, received.clone()), value),
            OpsKind::UnTracked(step) => step.finish(value),
        }
    };
    outputs.into_iter().enumerate().map(output).map(untyped::<B>).collect()
}

/// The step that stands for a segment. What it makes has no value: the outputs hang on it, each with a step of
/// its own, since a step makes one tensor.
#[derive(Debug)]
struct RunAgain;

/// What the backward pass starts from.
#[derive(Debug, Clone)]
struct Saved<B: Backend> {
    x: FloatTensor<B>,
    leaves: Vec<(NodeId, FloatTensor<B>)>,
    segment: Once,
    received: Received<B>,
}

/// A segment that has yet to run. Cloned because steps ask it of their states; there is one tape.
#[derive(Clone)]
struct Once(Arc<Mutex<Option<Segment>>>);

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}

impl<B: Backend> Backward<B, 2> for RunAgain
where
    DispatchTensor: DispatchKindConversion<Autodiff<B>>,
{
    type State = Saved<B>;

    fn backward(self, ops: Ops<Saved<B>, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        drop(grads.consume::<B>(&ops.node));
        let ([above, _], Saved { x, leaves, segment, received }) = (ops.parents, ops.state);
        let Some(segment) = held(&segment.0).take() else { return };

        // The same values as leaves of a tape of their own.
        let x = Autodiff::<B>::float_set_require_grad(Autodiff::<B>::from_inner(x), above.is_some());
        let leaf = |value| Autodiff::<B>::float_set_require_grad(Autodiff::<B>::from_inner(value), true);
        let (ids, leaves): (Vec<_>, Vec<_>) = leaves.into_iter().map(|(id, value)| (id, leaf(value))).unzip();
        let outputs = segment(untyped::<B>(x.clone()), leaves.iter().cloned().map(untyped::<B>).collect());
        let mut outputs: Vec<_> = outputs.into_iter().map(|output| Some(taped::<B>(output))).collect();

        // Steps of one depth run in the order in which they are found from the root, the last parent first.
        // That is to be the order of the outer tape, where what was found first has sent its gradient first.
        let received = std::mem::take(&mut *held(&received));
        let mut root = Autodiff::<B>::from_inner(nothing::<B>(&x));
        for (number, grad) in received.into_iter().rev() {
            if let Some(output) = outputs.get_mut(number).and_then(Option::take) {
                root = seed(root, output, grad);
            }
        }
        drop(outputs);
        if !root.is_tracked() {
            return;
        }
        let mut own = Autodiff::<B>::backward(root);
        let above = above.map(|node| (node.id, x));
        for (id, leaf) in above.into_iter().chain(ids.into_iter().zip(leaves)) {
            if let Some(grad) = leaf.grad_remove(&mut own) {
                grads.register::<B>(id, grad);
            }
        }
    }
}

/// The step of one output: it puts the output's gradient where the segment's step will look.
#[derive(Debug)]
struct Output;

impl<B: Backend> Backward<B, 1> for Output {
    type State = (usize, Received<B>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let ([handle], (number, received)) = (ops.parents, ops.state);
        if let Some(handle) = handle {
            // The segment's step runs once something has come for what it makes.
            let sign = B::float_zeros([1].into(), &grad.device(), grad.dtype().into());
            grads.register::<B>(handle.id, sign);
        }
        held(&received).push((number, grad));
    }
}

/// A root from which `output` has the gradient `grad`, and `root` what it has.
fn seed<B: Backend>(root: Taped<B>, output: Taped<B>, grad: FloatTensor<B>) -> Taped<B> {
    let nothing = nothing::<B>(&root);
    match Seed.prepare::<NoCheckpointing>([root.node(), output.node()]).compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish(grad, nothing),
        OpsKind::UnTracked(step) => step.finish(nothing),
    }
}

/// The step from a root to an output whose gradient is known.
#[derive(Debug)]
struct Seed;

impl<B: Backend> Backward<B, 2> for Seed {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<FloatTensor<B>, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let own = grads.consume::<B>(&ops.node);
        let [root, output] = ops.parents;
        if let Some(root) = root {
            grads.register::<B>(root.id, own);
        }
        if let Some(output) = output {
            grads.register::<B>(output.id, ops.state);
        }
    }
}

/// What a step makes that makes nothing.
fn nothing<B: Backend>(beside: &Taped<B>) -> FloatTensor<B> {
    B::float_zeros([1].into(), &beside.device(), beside.dtype().into())
}

fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn taped<B: Backend>(tensor: DispatchTensor) -> Taped<B>
where
    DispatchTensor: DispatchKindConversion<Autodiff<B>>,
{
    let tensor: Result<BackendTensor<Autodiff<B>>, _> = DispatchTensor::try_into_backend(tensor);
    tensor.expect("what is recomputed is on one device, which does not checkpoint by itself").float()
}

fn untyped<B: Backend>(tensor: Taped<B>) -> DispatchTensor
where
    DispatchTensor: DispatchKindConversion<Autodiff<B>>,
{
    DispatchTensor::from_backend(BackendTensor::<Autodiff<B>>::Float(tensor))
}
