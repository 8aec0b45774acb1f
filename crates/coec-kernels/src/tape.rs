//! What the backward passes share. They are registered on the tape by hand, each beside its operation.

use burn::backend::{
    Backend,
    autodiff::{grads::Gradients, ops::Ops},
    tensor::FloatTensor,
};

/// A step of the backward pass: `kernel` makes the gradients of the inputs from what the forward pass
/// saved and the gradient of its output, and each input that has a place on the tape is handed its own.
pub(crate) fn backward<B: Backend, S, const N: usize>(
    ops: Ops<S, N>,
    grads: &mut Gradients,
    kernel: impl FnOnce(S, FloatTensor<B>) -> [FloatTensor<B>; N],
) {
    let output_grad = grads.consume::<B>(&ops.node);
    let results = kernel(ops.state, output_grad);
    for (parent, grad) in ops.parents.into_iter().zip(results) {
        if let Some(node) = parent {
            grads.register::<B>(node.id, grad);
        }
    }
}
