//! Activations of the first product, and their derivatives.

use crate::{
    Activation,
    cpu::{Real, widest},
};

/// `h = act(pre)`: `pre` is `[G*F, rows]`, `h` is `[F, rows]`.
pub(super) fn activate<T: Real>(act: Activation, pre: &[T], h: &mut [T]) {
    widest!(act: Activation, pre: &[T], h: &mut [T]; T => activate_inline(act, pre, h))
}

#[inline(always)]
fn activate_inline<T: Real>(act: Activation, pre: &[T], h: &mut [T]) {
    match act {
        Activation::Swiglu => gated(pre, h, |gate, up| gate * gate.sigmoid() * up),
        Activation::Geglu => gated(pre, h, |gate, up| gate * normal_cdf(gate) * up),
        Activation::Clamped => gated(pre, h, |gate, up| {
            let [gate, up] = clamped(gate, up);
            gate * (gate * T::constant(Activation::STEEPNESS)).sigmoid() * (up + T::ONE)
        }),
        Activation::Gelu => plain(pre, h, |up| up * normal_cdf(up)),
        Activation::Relu2 => plain(pre, h, |up| {
            let relu = relu(up);
            relu * relu
        }),
    }
}

/// `h = f(gate, up)` for each hidden unit.
#[inline(always)]
fn gated<T: Real>(pre: &[T], h: &mut [T], f: impl Fn(T, T) -> T) {
    let (gate, up) = pre.split_at(h.len());
    for ((h, &gate), &up) in h.iter_mut().zip(gate).zip(up) {
        *h = f(gate, up);
    }
}

/// `h = f(up)` for each hidden unit.
#[inline(always)]
fn plain<T: Real>(pre: &[T], h: &mut [T], f: impl Fn(T) -> T) {
    for (h, &up) in h.iter_mut().zip(pre) {
        *h = f(up);
    }
}

/// `h = act(pre)` and `pre_grad = d act/d pre * h_grad`, of the shapes that [`activate`] has.
pub(super) fn differentiate<T: Real>(
    act: Activation,
    pre: &[T],
    h_grad: &[T],
    h: &mut [T],
    pre_grad: &mut [T],
) {
    widest!(act: Activation, pre: &[T], h_grad: &[T], h: &mut [T], pre_grad: &mut [T];
        T => differentiate_inline(act, pre, h_grad, h, pre_grad))
}

#[inline(always)]
fn differentiate_inline<T: Real>(act: Activation, pre: &[T], h_grad: &[T], h: &mut [T], pre_grad: &mut [T]) {
    match act {
        Activation::Swiglu => gated_back(pre, h_grad, h, pre_grad, |gate, up, grad| {
            let sigmoid = gate.sigmoid();
            let silu = gate * sigmoid;
            [silu * up, grad * up * (sigmoid + silu * (T::ONE - sigmoid)), grad * silu]
        }),
        Activation::Geglu => gated_back(pre, h_grad, h, pre_grad, |gate, up, grad| {
            let cdf = normal_cdf(gate);
            [gate * cdf * up, grad * up * (cdf + gate * normal_pdf(gate)), grad * gate * cdf]
        }),
        Activation::Clamped => gated_back(pre, h_grad, h, pre_grad, |gate, up, grad| {
            let [gate_slope, up_slope] = slopes_of_clamped(gate, up);
            let ([gate, up], steepness) = (clamped(gate, up), T::constant(Activation::STEEPNESS));
            let (up, sigmoid) = (up + T::ONE, (gate * steepness).sigmoid());
            let opened = gate * sigmoid;
            let slope = sigmoid + steepness * opened * (T::ONE - sigmoid);
            [opened * up, grad * up * slope * gate_slope, grad * opened * up_slope]
        }),
        Activation::Gelu => plain_back(pre, h_grad, h, pre_grad, |up, grad| {
            let cdf = normal_cdf(up);
            [up * cdf, grad * (cdf + up * normal_pdf(up))]
        }),
        Activation::Relu2 => plain_back(pre, h_grad, h, pre_grad, |up, grad| {
            let relu = relu(up);
            [relu * relu, grad * (relu + relu)]
        }),
    }
}

/// For each hidden unit `f(gate, up, gradient)`: what is activated, and the gradients of the gate and of what
/// goes up.
#[inline(always)]
fn gated_back<T: Real>(
    pre: &[T],
    h_grad: &[T],
    h: &mut [T],
    pre_grad: &mut [T],
    f: impl Fn(T, T, T) -> [T; 3],
) {
    let count = h.len();
    let ((gate, up), (gate_grad, up_grad)) = (pre.split_at(count), pre_grad.split_at_mut(count));
    for i in 0..count {
        [h[i], gate_grad[i], up_grad[i]] = f(gate[i], up[i], h_grad[i]);
    }
}

/// For each hidden unit `f(up, gradient)`: what is activated, and the gradient of what goes up.
#[inline(always)]
fn plain_back<T: Real>(pre: &[T], h_grad: &[T], h: &mut [T], pre_grad: &mut [T], f: impl Fn(T, T) -> [T; 2]) {
    for i in 0..h.len() {
        [h[i], pre_grad[i]] = f(pre[i], h_grad[i]);
    }
}

/// `max(x, 0)`, and NaN for NaN.
#[inline(always)]
fn relu<T: Real>(x: T) -> T {
    if x < T::ZERO { T::ZERO } else { x }
}

/// The gate and what goes up, within the limits of [`Activation::Clamped`]. NaN for NaN.
#[inline(always)]
fn clamped<T: Real>(gate: T, up: T) -> [T; 2] {
    let (least, most) = (T::constant(-Activation::LIMIT), T::constant(Activation::LIMIT));
    let at_most = |x: T| if x > most { most } else { x };
    let up = at_most(up);
    [at_most(gate), if up < least { least } else { up }]
}

/// The slopes of [`clamped`]: 0 beyond the limits, 1 at them.
#[inline(always)]
fn slopes_of_clamped<T: Real>(gate: T, up: T) -> [T; 2] {
    let (least, most) = (T::constant(-Activation::LIMIT), T::constant(Activation::LIMIT));
    let slope = |is_beyond: bool| if is_beyond { T::ZERO } else { T::ONE };
    [slope(gate > most), slope((up > most) | (up < least))]
}

/// `P(Z <= x)` of the standard normal, so that `gelu(x) = x P(Z <= x)`.
fn normal_cdf<T: Real>(x: T) -> T {
    T::constant(0.5) * (T::ONE + (x * T::constant(std::f64::consts::FRAC_1_SQRT_2)).erf())
}

/// The density of the standard normal.
fn normal_pdf<T: Real>(x: T) -> T {
    // 1 / sqrt(2 pi)
    (T::constant(-0.5) * x * x).exp() * T::constant(0.398_942_280_401_432_7)
}
