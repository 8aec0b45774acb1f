//! The cross-entropy of a head on slices.

use burn::backend::{
    Element, TensorMetadata,
    tensor::{FloatTensor, IntTensor},
};
use rayon::prelude::*;

use super::{CrossEntropyKernel, Head, Saved};
use crate::cpu::{Host, Multiply, Real, View, by_dtype, exponentials, shared_product, unwritten, widest};

impl<B: Host> CrossEntropyKernel for B {
    fn losses(head: Head<B>) -> FloatTensor<B> {
        by_dtype!("cross_entropy", head.x.dtype(), T => losses::<B, T>(head))
    }

    fn forward(head: Head<B>, weights: FloatTensor<B>) -> (FloatTensor<B>, Saved<B>) {
        by_dtype!("cross_entropy", head.x.dtype(), T => forward::<B, T>(head, weights))
    }

    fn backward(saved: Saved<B>, grad: FloatTensor<B>) -> [FloatTensor<B>; 2] {
        by_dtype!("the backward pass of cross_entropy", grad.dtype(), T => backward::<B, T>(saved, grad))
    }
}

fn losses<B: Host, T: Multiply + Element>(head: Head<B>) -> FloatTensor<B> {
    let (device, rows, scale) = (head.x.device(), head.x.shape()[0], T::constant(head.scale));
    let mut losses: Vec<T> = Vec::with_capacity(rows);
    each_block::<B, T>(head, |logits, targets, _, width| {
        losses.extend(rows_of(logits, targets, None, width, scale))
    });
    B::float(losses, [rows], &device)
}

fn forward<B: Host, T: Multiply + Element>(
    head: Head<B>,
    weights: FloatTensor<B>,
) -> (FloatTensor<B>, Saved<B>) {
    let (device, precision, scale) = (head.x.device(), head.precision, T::constant(head.scale));
    let ([rows, dim], [classes, _]) = (head.x.shape().dims(), head.weight.shape().dims());
    let (held, x, weight) = (B::hold(weights), B::hold(head.x.clone()), B::hold(head.weight.clone()));
    let (weights, x, weight) = (B::slice::<T>(&held), B::slice::<T>(&x), B::slice::<T>(&weight));
    let (mut x_grad, mut weight_grad) = (unwritten(rows * dim), unwritten(classes * dim));
    let mut loss = 0.0;
    each_block::<B, T>(head, |logits, targets, start, classes| {
        let count = targets.len();
        let weights = &weights[start..start + count];
        let losses = rows_of(logits, targets, Some(weights), classes, scale);
        loss += losses.iter().zip(weights).map(|(loss, weight)| (*loss * *weight).to_f64()).sum::<f64>();
        let grad = View::new(&*logits, count, classes);
        let x = View::new(&x[start * dim..][..count * dim], count, dim);
        shared_product(
            &mut x_grad[start * dim..][..count * dim],
            grad,
            View::new(weight, classes, dim),
            false,
            precision,
        );
        shared_product(&mut weight_grad, grad.transposed(), x, start > 0, precision);
    });
    if rows == 0 {
        weight_grad.fill(T::ZERO);
    }
    let loss = B::float(vec![T::constant(loss)], [1], &device);
    let saved = Saved {
        x: B::float(x_grad, [rows, dim], &device),
        weight: B::float(weight_grad, [classes, dim], &device),
    };
    (loss, saved)
}

fn backward<B: Host, T: Multiply + Element>(saved: Saved<B>, grad: FloatTensor<B>) -> [FloatTensor<B>; 2] {
    let grad = B::slice::<T>(&B::hold(grad))[0];
    [saved.x, saved.weight].map(|made| match grad == T::ONE {
        true => made,
        false => B::in_place::<T>(made, |values| {
            values
                .par_chunks_mut(CHUNK)
                .for_each(|values| values.iter_mut().for_each(|value| *value = *value * grad));
        }),
    })
}

/// Elements of one task.
const CHUNK: usize = 1 << 15;

/// `f(logits, targets, first row, V)` of every block of rows.
fn each_block<B: Host, T: Multiply + Element>(
    head: Head<B>,
    mut f: impl FnMut(&mut [T], &[usize], usize, usize),
) {
    let ([rows, dim], [classes, _]) = (head.x.shape().dims(), head.weight.shape().dims());
    let Head { block, precision, .. } = head;
    let (x, weight) = (B::hold(head.x), B::hold(head.weight));
    let targets = classes_of::<B>(head.targets, classes);
    let (x, weight) = (View::<T>::new(B::slice(&x), rows, dim), View::new(B::slice(&weight), classes, dim));
    let mut logits = unwritten(block.min(rows) * classes);
    for start in (0..rows).step_by(block) {
        let count = block.min(rows - start);
        let logits = &mut logits[..count * classes];
        shared_product(logits, x.row_range(start..start + count), weight.transposed(), false, precision);
        f(logits, &targets[start..start + count], start, classes);
    }
}

/// Targets as places in a row.
fn classes_of<B: Host>(targets: IntTensor<B>, classes: usize) -> Vec<usize> {
    let target = |target: i64| match usize::try_from(target) {
        Ok(target) if target < classes => target,
        _ => panic!("target {target} of {classes} classes"),
    };
    B::int_data(targets).iter::<i64>().map(target).collect()
}

/// Rows of one task.
const TASK: usize = 16;

/// The loss of each row of `logits`, to be scaled, which become their gradient where there are `weights`.
fn rows_of<T: Real>(
    logits: &mut [T],
    targets: &[usize],
    weights: Option<&[T]>,
    classes: usize,
    scale: T,
) -> Vec<T> {
    let mut losses = vec![T::ZERO; targets.len()];
    let tasks =
        logits.par_chunks_mut(TASK * classes).zip(targets.par_chunks(TASK)).zip(losses.par_chunks_mut(TASK));
    tasks.enumerate().for_each(|(task, ((logits, targets), losses))| {
        let rows = logits.chunks_exact_mut(classes).zip(targets).zip(losses).enumerate();
        for (row, ((logits, &target), loss)) in rows {
            let own = logits[target];
            let [top, sum] = shifted(logits, scale);
            *loss = scale * top + sum.ln() - scale * own;
            if let Some(weights) = weights {
                let weight = scale * weights[task * TASK + row];
                multiply(logits, weight / sum);
                logits[target] = logits[target] - weight;
            }
        }
    });
    losses
}

/// `e^(scale (z - max))` of a row in place; its largest value, and their sum.
fn shifted<T: Real>(logits: &mut [T], scale: T) -> [T; 2] {
    let mut top_and_sum = [T::ZERO; 2];
    write_shifted(logits, &mut top_and_sum, scale);
    top_and_sum
}

fn write_shifted<T: Real>(logits: &mut [T], top_and_sum: &mut [T; 2], scale: T) {
    widest!(logits: &mut [T], top_and_sum: &mut [T; 2], scale: T;
        T => *top_and_sum = exponentials(logits, scale))
}

fn multiply<T: Real>(values: &mut [T], factor: T) {
    widest!(values: &mut [T], factor: T; T => multiply_inline(values, factor))
}

#[inline(always)]
fn multiply_inline<T: Real>(values: &mut [T], factor: T) {
    values.iter_mut().for_each(|value| *value = *value * factor);
}
