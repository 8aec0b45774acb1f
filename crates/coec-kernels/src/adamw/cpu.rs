//! The AdamW update over buffers that can be written in place: Flex's.

use burn::backend::{Element, Flex, flex::FlexTensor};
use rayon::prelude::*;

use super::{AdamWKernel, AdamWStep, State};
use crate::cpu::{Real, by_dtype, widest};

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
    let numbers = Numbers::of(step);
    param
        .par_chunks_mut(CHUNK)
        .zip(grad.par_chunks(CHUNK))
        .zip(first.par_chunks_mut(CHUNK))
        .zip(second.par_chunks_mut(CHUNK))
        .for_each(|(((param, grad), first), second)| chunk(param, grad, first, second, numbers));
}

/// The numbers of a step in the type of its tensors.
#[derive(Clone, Copy)]
struct Numbers<T> {
    betas: [T; 2],
    /// 1 - beta.
    shares: [T; 2],
    /// 1 - lr wd.
    keep: T,
    /// lr / c1.
    rate: T,
    /// 1 / c2.
    inverse: T,
    eps: T,
    scale: T,
}

impl<T: Real> Numbers<T> {
    fn of(step: &AdamWStep) -> Self {
        Self {
            betas: step.betas.map(T::constant),
            shares: step.betas.map(|beta| T::constant(1.0 - beta)),
            keep: T::constant(1.0 - step.lr * step.weight_decay),
            rate: T::constant(step.lr / step.corrections[0]),
            inverse: T::constant(1.0 / step.corrections[1]),
            eps: T::constant(step.eps),
            scale: T::constant(step.scale),
        }
    }
}

fn chunk<T: Real>(param: &mut [T], grad: &[T], first: &mut [T], second: &mut [T], by: Numbers<T>) {
    widest!(param: &mut [T], grad: &[T], first: &mut [T], second: &mut [T], by: Numbers<T>;
        T => chunk_inline(param, grad, first, second, by))
}

#[inline(always)]
fn chunk_inline<T: Real>(param: &mut [T], grad: &[T], first: &mut [T], second: &mut [T], by: Numbers<T>) {
    for (((p, &g), m), v) in param.iter_mut().zip(grad).zip(first).zip(second) {
        let g = by.scale * g;
        *m = by.betas[0] * *m + by.shares[0] * g;
        *v = by.betas[1] * *v + by.shares[1] * g * g;
        *p = by.keep * *p - by.rate * *m / ((*v * by.inverse).sqrt() + by.eps);
    }
}
