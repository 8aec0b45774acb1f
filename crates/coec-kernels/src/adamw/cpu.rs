//! The AdamW update over one buffer.

use rayon::prelude::*;

use crate::{AdamWStep, cpu::Real};

/// Elements of one task.
const CHUNK: usize = 1 << 15;

/// Updates `param` and its moments in place.
pub(super) fn update<T: Real>(
    param: &mut [T],
    grad: &[T],
    first: &mut [T],
    second: &mut [T],
    step: &AdamWStep,
) {
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
