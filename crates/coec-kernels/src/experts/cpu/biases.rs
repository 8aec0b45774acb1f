//! Biases, forward and backward. As everywhere here, rows of a block are columns.

use super::routing::Tile;
use crate::cpu::{Real, sum, widest};

/// Adds to each row of `to` `[width, rows]` its bias, of `[width]`.
pub(super) fn add<T: Real>(bias: &[T], to: &mut [T]) {
    widest!(bias: &[T], to: &mut [T]; T => add_inline(bias, to))
}

#[inline(always)]
fn add_inline<T: Real>(bias: &[T], to: &mut [T]) {
    let rows = to.len() / bias.len().max(1);
    for (to, &bias) in to.chunks_exact_mut(rows.max(1)).zip(bias) {
        to.iter_mut().for_each(|value| *value += bias);
    }
}

/// The sums of the rows of `from` `[width, rows]`: `[width]`.
pub(super) fn sum_rows<T: Real>(from: &[T], sums: &mut [T]) {
    widest!(from: &[T], sums: &mut [T]; T => sum_rows_inline(from, sums))
}

#[inline(always)]
fn sum_rows_inline<T: Real>(from: &[T], sums: &mut [T]) {
    let rows = from.len() / sums.len().max(1);
    for (sum_of_row, from) in sums.iter_mut().zip(from.chunks_exact(rows.max(1))) {
        *sum_of_row = sum(rows, |i| from[i]);
    }
}

/// What flows back through the second bias `[D]` of a row's expert, from the gradient `dy` `[D]` of the token:
/// `gate dy` is added to `bias_grad`, and `bias . dy` to `gate_grad`.
pub(super) fn flow_back<T: Real>(gate: T, dy: &[T], bias: &[T], bias_grad: &mut [T], gate_grad: &mut T) {
    widest!(gate: T, dy: &[T], bias: &[T], bias_grad: &mut [T], gate_grad: &mut T;
        T => flow_back_inline(gate, dy, bias, bias_grad, gate_grad))
}

#[inline(always)]
fn flow_back_inline<T: Real>(gate: T, dy: &[T], bias: &[T], bias_grad: &mut [T], gate_grad: &mut T) {
    for (grad, &dy) in bias_grad.iter_mut().zip(dy) {
        *grad += gate * dy;
    }
    let width = dy.len();
    let bias = &bias[..width];
    *gate_grad += sum(width, |i| bias[i] * dy[i]);
}

/// The gradients of experts' biases `[E, width]`: the sums of what the blocks of each found, in their order.
pub(super) fn of_experts<T: Real>(parts: &[Vec<T>], blocks: &[Tile], [experts, width]: [usize; 2]) -> Vec<T> {
    let mut grad = vec![T::ZERO; experts * width];
    for (part, block) in parts.iter().zip(blocks) {
        for (sum, &value) in grad[block.expert * width..][..width].iter_mut().zip(part) {
            *sum += value;
        }
    }
    grad
}
