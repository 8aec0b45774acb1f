//! The backward passes, registered by hand.

use burn::backend::{
    autodiff::{
        Autodiff,
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

use super::{FusedKernels, FusedOps, Pairs};

impl<B: FusedKernels, C: CheckpointStrategy> FusedOps for Autodiff<B, C> {
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f64) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node()];
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        match RmsNorm.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let [y, scales] = B::rms_norm_forward(x.clone(), weight.clone(), eps);
                prep.finish((x, weight, scales), y)
            }
            OpsKind::UnTracked(prep) => {
                let [y, _] = B::rms_norm_forward(x, weight, eps);
                prep.finish(y)
            }
        }
    }

    fn causal_softmax(scores: FloatTensor<Self>, scale: f64) -> FloatTensor<Self> {
        let nodes = [scores.node()];
        let probs = B::causal_softmax_forward(scores.into_primitive(), scale);
        match CausalSoftmax.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((probs.clone(), scale), probs),
            OpsKind::UnTracked(prep) => prep.finish(probs),
        }
    }

    fn rotate(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        pairs: Pairs,
    ) -> FloatTensor<Self> {
        let nodes = [x.node()];
        let (cos, sin) = (cos.into_primitive(), sin.into_primitive());
        let y = B::rotated(x.into_primitive(), cos.clone(), sin.clone(), pairs, false);
        match Rotate.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((cos, sin, pairs), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

/// Hands each parent its gradient. A macro, because Burn does not export the type of a parent.
macro_rules! register {
    ($parents:expr, $results:expr, $grads:expr) => {
        for (parent, grad) in $parents.into_iter().zip($results) {
            if let Some(node) = parent {
                $grads.register::<B>(node.id, grad);
            }
        }
    };
}

#[derive(Debug)]
struct RmsNorm;

impl<B: FusedKernels> Backward<B, 2> for RmsNorm {
    /// `x`, the weight, and each row's factor.
    type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (x, weight, scales) = ops.state;
        register!(ops.parents, B::rms_norm_backward(grad, x, weight, scales), grads);
    }
}

#[derive(Debug)]
struct CausalSoftmax;

impl<B: FusedKernels> Backward<B, 1> for CausalSoftmax {
    /// The probabilities and the scale.
    type State = (FloatTensor<B>, f64);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (probs, scale) = ops.state;
        register!(ops.parents, [B::causal_softmax_backward(grad, probs, scale)], grads);
    }
}

#[derive(Debug)]
struct Rotate;

impl<B: FusedKernels> Backward<B, 1> for Rotate {
    /// cos, sin, and what they rotate.
    type State = (FloatTensor<B>, FloatTensor<B>, Pairs);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (cos, sin, pairs) = ops.state;
        register!(ops.parents, [B::rotated(grad, cos, sin, pairs, true)], grads);
    }
}
