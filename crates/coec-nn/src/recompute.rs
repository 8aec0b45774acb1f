//! Blocks that are run again in the backward pass, rather than kept.

use std::collections::HashMap;

use burn::backend::{DispatchTensor, GradientCheckpointingStrategy};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param as Slot, ParamId};
use burn::tensor::Tensor;

use crate::Pass;

/// What `forward` makes of `block` and the stream h `[B, T, D]`, computed again in the backward pass: until
/// then h and the selections of experts are kept, and nothing else.
///
/// Loss and gradients are the same as without, on the CPU bit for bit but for the gradients of layers in a loop: what
/// passes add to them is summed in another order. Selections are not made again.
/// Where there is no tape, or a generation cache, this is `forward`; so it is where the device checkpoints
/// by itself.
///
/// # Shapes
///
/// - `h`, output: `[B, T, D]`
pub fn recompute<M: Module + 'static>(
    block: &M,
    h: Tensor<3>,
    pass: &mut Pass<'_>,
    forward: fn(&M, Tensor<3>, &mut Pass<'_>) -> Tensor<3>,
) -> Tensor<3> {
    let is_kept = h.gradient_checkpointing_strategy() == Some(GradientCheckpointingStrategy::Disabled);
    if !is_kept || pass.has_cache() {
        return forward(block, h, pass);
    }
    let mut trained = Trained::default();
    block.visit(&mut trained);
    let Trained { ids, leaves } = trained;

    let block = block.clone().map(&mut Replaced::default());
    let mut first = pass.apart(Vec::new());
    let out = forward(&block, h.clone().set_require_grad(false), &mut first);
    let (aux_loss, selections) = pass.join(first);

    let mut again = pass.apart(selections);
    let segment = move |h: DispatchTensor, leaves: Vec<DispatchTensor>| {
        let block = block.map(&mut Replaced(ids.into_iter().zip(leaves).collect()));
        let out = forward(&block, Tensor::from_dispatch(h), &mut again);
        outputs(out, again.into_aux_loss())
    };
    let outputs =
        coec_kernels::recomputed(h.into_dispatch(), leaves, outputs(out, aux_loss), Box::new(segment));
    let mut outputs = outputs.into_iter();
    let out = outputs.next().expect("the stream is the first output");
    pass.add_aux_loss(outputs.next().map(Tensor::from_dispatch));
    Tensor::from_dispatch(out)
}

/// What a block gives on: the stream `[B, T, D]`, and its balance losses if it has some.
fn outputs(out: Tensor<3>, aux_loss: Option<Tensor<1>>) -> Vec<DispatchTensor> {
    std::iter::once(out.into_dispatch()).chain(aux_loss.map(Tensor::into_dispatch)).collect()
}

/// The trained parameters of a block.
#[derive(Default)]
struct Trained {
    ids: Vec<ParamId>,
    leaves: Vec<DispatchTensor>,
}

impl ModuleVisitor for Trained {
    fn visit_float<const D: usize>(&mut self, param: &Slot<Tensor<D>>) {
        let tensor = param.val();
        if tensor.is_require_grad() {
            self.ids.push(param.id);
            self.leaves.push(tensor.into_dispatch());
        }
    }
}

/// Puts these in the place of a block's parameters, and takes the others off the tape.
#[derive(Default)]
struct Replaced(HashMap<ParamId, DispatchTensor>);

impl ModuleMapper for Replaced {
    fn map_float<const D: usize>(&mut self, param: Slot<Tensor<D>>) -> Slot<Tensor<D>> {
        let new = self.0.remove(&param.id).map(Tensor::from_dispatch);
        param.map(|old| new.unwrap_or_else(|| old.set_require_grad(false)))
    }
}
