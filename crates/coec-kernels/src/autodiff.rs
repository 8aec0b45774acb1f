//! The backward pass, registered by hand.

use burn::backend::{
    Backend,
    autodiff::{
        Autodiff,
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::{FloatTensor, IntTensor},
};

use crate::{Activation, ExpertKernels, backend::Forward, ops::ExpertOps};

impl<B: ExpertKernels, C: CheckpointStrategy> ExpertOps for Autodiff<B, C> {
    fn experts(
        x: FloatTensor<Self>,
        indices: IntTensor<Self>,
        gates: FloatTensor<Self>,
        w_in: FloatTensor<Self>,
        w_out: FloatTensor<Self>,
        act: Activation,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), gates.node(), w_in.node(), w_out.node()];
        let [x, gates, w_in, w_out] = [x, gates, w_in, w_out].map(|tensor| tensor.into_primitive());
        match ExpertsBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let Forward { output, hidden } = B::experts_forward(
                    x.clone(),
                    indices.clone(),
                    gates.clone(),
                    w_in.clone(),
                    w_out.clone(),
                    act,
                );
                prep.finish(Saved { x, indices, gates, w_in, w_out, hidden, act }, output)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::experts_forward(x, indices, gates, w_in, w_out, act).output)
            }
        }
    }

    fn select_top_k(scores: FloatTensor<Self>, k: usize) -> IntTensor<Self> {
        B::select_top_k(scores.into_primitive(), k)
    }
}

#[derive(Debug)]
struct ExpertsBackward;

/// What the backward pass reads again.
#[derive(Debug, Clone)]
struct Saved<B: Backend> {
    x: FloatTensor<B>,
    indices: IntTensor<B>,
    gates: FloatTensor<B>,
    w_in: FloatTensor<B>,
    w_out: FloatTensor<B>,
    hidden: FloatTensor<B>,
    act: Activation,
}

impl<B: ExpertKernels> Backward<B, 4> for ExpertsBackward {
    type State = Saved<B>;

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let output_grad = grads.consume::<B>(&ops.node);
        let Saved { x, indices, gates, w_in, w_out, hidden, act } = ops.state;
        let results = B::experts_backward(output_grad, x, indices, gates, w_in, w_out, hidden, act);
        for (parent, grad) in ops.parents.into_iter().zip(results) {
            if let Some(node) = parent {
                grads.register::<B>(node.id, grad);
            }
        }
    }
}
