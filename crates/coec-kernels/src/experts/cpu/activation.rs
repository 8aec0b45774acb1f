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
        Activation::Swiglu => {
            let (gate, up) = pre.split_at(h.len());
            for ((h, &g), &u) in h.iter_mut().zip(gate).zip(up) {
                *h = g * g.sigmoid() * u;
            }
        }
        Activation::Geglu => {
            let (gate, up) = pre.split_at(h.len());
            for ((h, &g), &u) in h.iter_mut().zip(gate).zip(up) {
                *h = g * normal_cdf(g) * u;
            }
        }
        Activation::Gelu => {
            for (h, &u) in h.iter_mut().zip(pre) {
                *h = u * normal_cdf(u);
            }
        }
        Activation::Relu2 => {
            for (h, &u) in h.iter_mut().zip(pre) {
                let relu = relu(u);
                *h = relu * relu;
            }
        }
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
    let f = h.len();
    match act {
        Activation::Swiglu => {
            let ((gate, up), (gate_grad, up_grad)) = (pre.split_at(f), pre_grad.split_at_mut(f));
            for i in 0..f {
                let (g, u, d) = (gate[i], up[i], h_grad[i]);
                let s = g.sigmoid();
                let silu = g * s;
                h[i] = silu * u;
                gate_grad[i] = d * u * (s + silu * (T::ONE - s));
                up_grad[i] = d * silu;
            }
        }
        Activation::Geglu => {
            let ((gate, up), (gate_grad, up_grad)) = (pre.split_at(f), pre_grad.split_at_mut(f));
            for i in 0..f {
                let (g, u, d) = (gate[i], up[i], h_grad[i]);
                let cdf = normal_cdf(g);
                h[i] = g * cdf * u;
                gate_grad[i] = d * u * (cdf + g * normal_pdf(g));
                up_grad[i] = d * g * cdf;
            }
        }
        Activation::Gelu => {
            for i in 0..f {
                let (u, d) = (pre[i], h_grad[i]);
                let cdf = normal_cdf(u);
                h[i] = u * cdf;
                pre_grad[i] = d * (cdf + u * normal_pdf(u));
            }
        }
        Activation::Relu2 => {
            for i in 0..f {
                let relu = relu(pre[i]);
                h[i] = relu * relu;
                pre_grad[i] = h_grad[i] * (relu + relu);
            }
        }
    }
}

/// `max(x, 0)`, and NaN for NaN.
#[inline(always)]
fn relu<T: Real>(x: T) -> T {
    if x < T::ZERO { T::ZERO } else { x }
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
