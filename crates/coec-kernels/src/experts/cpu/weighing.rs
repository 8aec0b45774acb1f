//! The gates in the backward pass.

use crate::{
    Precision,
    cpu::{Real, widest},
};

/// What weighs each sorted row on the way back.
pub(super) struct Weights<T> {
    /// The gradient of the output, before it is a factor: in bf16, where that is rounded.
    pub before: Option<Vec<T>>,
    /// What was made of it.
    pub after: Vec<T>,
}

impl<T: Real> Weights<T> {
    /// Of the gates of sorted rows. In bf16 they weigh before, all but those that nothing can be divided by.
    pub fn of(gates: Vec<T>, precision: Precision) -> Self {
        if precision == Precision::F32 {
            return Self { before: None, after: gates };
        }
        let weigh = |&gate: &T| match gate != T::ZERO && gate.to_f64().is_finite() {
            true => (gate, T::ONE),
            false => (T::ONE, gate),
        };
        let (before, after) = gates.iter().map(weigh).unzip();
        Self { before: Some(before), after }
    }
}

/// Weighs what flows back through a block's rows, which are columns here.
///
/// `h` `[F, rows]` becomes `g h`, `hidden_grad` `[G*F, rows]` becomes `g` times it, and `gate_grad` `[rows]`,
/// zero at first, the sum of `h t` over the hidden units.
pub(super) fn weigh<T: Real>(gates: &[T], t: &[T], h: &mut [T], hidden_grad: &mut [T], gate_grad: &mut [T]) {
    widest!(gates: &[T], t: &[T], h: &mut [T], hidden_grad: &mut [T], gate_grad: &mut [T];
        T => weigh_inline(gates, t, h, hidden_grad, gate_grad))
}

#[inline(always)]
fn weigh_inline<T: Real>(gates: &[T], t: &[T], h: &mut [T], hidden_grad: &mut [T], gate_grad: &mut [T]) {
    let rows = gates.len();
    for (h, t) in h.chunks_exact_mut(rows).zip(t.chunks_exact(rows)) {
        for (((h, &t), &gate), sum) in h.iter_mut().zip(t).zip(gates).zip(gate_grad.iter_mut()) {
            *sum += *h * t;
            *h = gate * *h;
        }
    }
    for hidden_grad in hidden_grad.chunks_exact_mut(rows) {
        for (value, &gate) in hidden_grad.iter_mut().zip(gates) {
            *value = *value * gate;
        }
    }
}
