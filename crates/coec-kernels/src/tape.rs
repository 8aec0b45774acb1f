//! Operations on a tape, and the steps back through them.

use std::{fmt::Debug, marker::PhantomData};

use burn::backend::{
    Backend,
    autodiff::{
        Autodiff,
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, NodeGuard, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

/// The gradients of an operation's inputs, from what its forward pass saved and the gradient of its output.
type StepBack<B, S, const N: usize> = fn(S, FloatTensor<B>) -> [FloatTensor<B>; N];

/// Puts an operation on the tape of its inputs, whose places are `nodes`.
///
/// `kept` makes the output and what the step `back` reads; where nothing asks for a gradient, `output` makes
/// the output alone.
pub(crate) fn recorded<B: Backend, C: CheckpointStrategy, I, S, const N: usize>(
    nodes: [NodeGuard; N],
    inputs: I,
    kept: impl FnOnce(I) -> (FloatTensor<B>, S),
    output: impl FnOnce(I) -> FloatTensor<B>,
    back: StepBack<B, S, N>,
) -> FloatTensor<Autodiff<B, C>>
where
    S: Clone + Debug + Send + 'static,
{
    match Step(PhantomData).prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(step) => {
            let (output, saved) = kept(inputs);
            step.finish((saved, back), output)
        }
        OpsKind::UnTracked(step) => step.finish(output(inputs)),
    }
}

/// The step back through an operation that saved an `S`.
#[derive(Debug)]
struct Step<S>(PhantomData<S>);

impl<B: Backend, S: Clone + Debug + Send + 'static, const N: usize> Backward<B, N> for Step<S> {
    type State = (S, StepBack<B, S, N>);

    /// Each input that has a place on the tape is handed its gradient.
    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let output_grad = grads.consume::<B>(&ops.node);
        let (saved, back) = ops.state;
        for (parent, grad) in ops.parents.into_iter().zip(back(saved, output_grad)) {
            if let Some(node) = parent {
                grads.register::<B>(node.id, grad);
            }
        }
    }
}
