//! The AdamW update over buffers that can be written in place: Flex's.

use burn::backend::{Element, Flex, flex::FlexTensor};
use rayon::prelude::*;

use super::{AdamWKernel, AdamWStep, State};
use crate::cpu::{Real, by_dtype};

impl AdamWKernel for Flex {
    fn updated(state: State<Self>, grad: FlexTensor, step: AdamWStep) -> State<Self> {
        by_dtype!("adamw", grad.dtype(), T => updated::<T>(state, grad, &step))
    }
}

fn updated<T: Real + Element>(state: State<Flex>, grad: FlexTensor, step: &AdamWStep) -> State<Flex> {
    // `storage_mut` copies a buffer that someone else still holds, and only then.
    let [mut param, mut first, mut second] =
        [state.param, state.first, state.second].map(|tensor| tensor.to_contiguous());
    let grad = grad.to_contiguous();
    update::<T>(param.storage_mut(), grad.storage(), first.storage_mut(), second.storage_mut(), step);
    State { param, first, second }
}

/// Elements of one task.
const CHUNK: usize = 1 << 15;

/// Updates `param` and its moments in place.
fn update<T: Real>(param: &mut [T], grad: &[T], first: &mut [T], second: &mut [T], step: &AdamWStep) {
    let [b1, b2] = step.betas.map(T::constant);
    let (a1, a2) = (T::constant(1.0 - step.betas[0]), T::constant(1.0 - step.betas[1]));
    let keep = T::constant(1.0 - step.lr * step.weight_decay);
    let rate = T::constant(step.lr / step.corrections[0]);
    let inverse = T::constant(1.0 / step.corrections[1]);
    let eps = T::constant(step.eps);
    param
        .par_chunks_mut(CHUNK)
        .zip(grad.par_chunks(CHUNK))
        .zip(first.par_chunks_mut(CHUNK))
        .zip(second.par_chunks_mut(CHUNK))
        .for_each(|(((param, grad), first), second)| {
            for (((p, &g), m), v) in param.iter_mut().zip(grad).zip(first).zip(second) {
                *m = b1 * *m + a1 * g;
                *v = b2 * *v + a2 * g * g;
                *p = keep * *p - rate * *m / ((*v * inverse).sqrt() + eps);
            }
        });
}
