//! The operations on each backend.

use burn::backend::{TensorMetadata, tensor::FloatTensor};

use super::{FusedKernels, FusedOps, Pairs, composed};
use crate::{
    backend::bridge::{float, float_primitive},
    dtypes::same_dtype,
};

/// CPU backends: fused loops over slices.
#[cfg(any(feature = "flex", feature = "ndarray"))]
mod on_slices {
    use burn::backend::{Element, TensorMetadata, tensor::FloatTensor};
    use burn::tensor::{Shape, TensorData};

    use crate::{
        Pairs,
        backend::host::Host,
        cpu::{self, Real},
        dtypes::by_dtype,
    };

    pub fn rms_norm<B: Host>(x: FloatTensor<B>, weight: FloatTensor<B>, eps: f64) -> [FloatTensor<B>; 2] {
        fn run<B: Host, T: Real + Element>(
            x: FloatTensor<B>,
            weight: FloatTensor<B>,
            eps: f64,
        ) -> [FloatTensor<B>; 2] {
            let (device, shape) = (x.device(), x.shape());
            let rows = Shape::new([shape[0]]);
            let (x, weight) = (B::hold(x), B::hold(weight));
            let (y, scales) = cpu::rms_norm::<T>(B::slice(&x), B::slice(&weight), eps);
            [(y, shape), (scales, rows)]
                .map(|(values, shape)| B::float_from_data(TensorData::new(values, shape), &device))
        }
        by_dtype!("rms_norm" [x, weight] => run::<B>(x, weight, eps))
    }

    pub fn rms_norm_backward<B: Host>(
        grad: FloatTensor<B>,
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        scales: FloatTensor<B>,
    ) -> [FloatTensor<B>; 2] {
        fn run<B: Host, T: Real + Element>(
            grad: FloatTensor<B>,
            x: FloatTensor<B>,
            weight: FloatTensor<B>,
            scales: FloatTensor<B>,
        ) -> [FloatTensor<B>; 2] {
            let (device, shapes) = (x.device(), [x.shape(), weight.shape()]);
            let [grad, x, weight, scales] = [grad, x, weight, scales].map(B::hold);
            let (dx, dw) = cpu::rms_norm_backward::<T>(
                B::slice(&grad),
                B::slice(&x),
                B::slice(&weight),
                B::slice(&scales),
            );
            let [x, weight] = shapes;
            [(dx, x), (dw, weight)]
                .map(|(values, shape)| B::float_from_data(TensorData::new(values, shape), &device))
        }
        by_dtype!("the backward pass of rms_norm" [x, weight, scales, grad] =>
            run::<B>(grad, x, weight, scales))
    }

    pub fn causal_softmax<B: Host>(scores: FloatTensor<B>, scale: f64) -> FloatTensor<B> {
        fn run<B: Host, T: Real + Element>(scores: FloatTensor<B>, scale: f64) -> FloatTensor<B> {
            let [_, _, queries, keys] = scores.shape().dims();
            B::in_place::<T>(scores, |scores| cpu::causal_softmax(scores, queries, keys, scale))
        }
        by_dtype!("causal_softmax" [scores] => run::<B>(scores, scale))
    }

    pub fn causal_softmax_backward<B: Host>(
        grad: FloatTensor<B>,
        probs: FloatTensor<B>,
        scale: f64,
    ) -> FloatTensor<B> {
        fn run<B: Host, T: Real + Element>(
            grad: FloatTensor<B>,
            probs: FloatTensor<B>,
            scale: f64,
        ) -> FloatTensor<B> {
            let [_, _, queries, keys] = grad.shape().dims();
            let probs = B::hold(probs);
            B::in_place::<T>(grad, |grad| {
                cpu::causal_softmax_backward(grad, B::slice(&probs), queries, keys, scale);
            })
        }
        by_dtype!("the backward pass of causal_softmax" [probs, grad] => run::<B>(grad, probs, scale))
    }

    pub fn rotated<B: Host>(
        x: FloatTensor<B>,
        cos: FloatTensor<B>,
        sin: FloatTensor<B>,
        pairs: Pairs,
        inverse: bool,
    ) -> FloatTensor<B> {
        fn run<B: Host, T: Real + Element>(
            x: FloatTensor<B>,
            cos: FloatTensor<B>,
            sin: FloatTensor<B>,
            pairs: Pairs,
            inverse: bool,
        ) -> FloatTensor<B> {
            let width = x.shape()[3];
            let (cos, sin) = (B::hold(cos), B::hold(sin));
            B::in_place::<T>(x, |x| cpu::rotate(x, B::slice(&cos), B::slice(&sin), width, pairs, inverse))
        }
        by_dtype!("rotate" [x, cos, sin] => run::<B>(x, cos, sin, pairs, inverse))
    }
}

/// Routes the differentiable operations to the kernels where there is no tape.
macro_rules! fused_ops_without_tape {
    ($backend:ty) => {
        impl FusedOps for $backend {
            fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f64) -> FloatTensor<Self> {
                let [y, _] = Self::rms_norm_forward(x, weight, eps);
                y
            }

            fn causal_softmax(scores: FloatTensor<Self>, scale: f64) -> FloatTensor<Self> {
                Self::causal_softmax_forward(scores, scale)
            }

            fn rotate(
                x: FloatTensor<Self>,
                cos: FloatTensor<Self>,
                sin: FloatTensor<Self>,
                pairs: Pairs,
            ) -> FloatTensor<Self> {
                Self::rotated(x, cos, sin, pairs, false)
            }
        }
    };
}

#[cfg(any(feature = "flex", feature = "ndarray"))]
macro_rules! fused_on_slices {
    ($backend:ty) => {
        impl FusedKernels for $backend {
            fn rms_norm_forward(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                eps: f64,
            ) -> [FloatTensor<Self>; 2] {
                on_slices::rms_norm::<Self>(x, weight, eps)
            }

            fn rms_norm_backward(
                grad: FloatTensor<Self>,
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                scales: FloatTensor<Self>,
            ) -> [FloatTensor<Self>; 2] {
                on_slices::rms_norm_backward::<Self>(grad, x, weight, scales)
            }

            fn causal_softmax_forward(scores: FloatTensor<Self>, scale: f64) -> FloatTensor<Self> {
                on_slices::causal_softmax::<Self>(scores, scale)
            }

            fn causal_softmax_backward(
                grad: FloatTensor<Self>,
                probs: FloatTensor<Self>,
                scale: f64,
            ) -> FloatTensor<Self> {
                on_slices::causal_softmax_backward::<Self>(grad, probs, scale)
            }

            fn rotated(
                x: FloatTensor<Self>,
                cos: FloatTensor<Self>,
                sin: FloatTensor<Self>,
                pairs: Pairs,
                inverse: bool,
            ) -> FloatTensor<Self> {
                on_slices::rotated::<Self>(x, cos, sin, pairs, inverse)
            }
        }

        fused_ops_without_tape!($backend);
    };
}

macro_rules! fused_from_tensors {
    ($backend:ty) => {
        impl FusedKernels for $backend {
            fn rms_norm_forward(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                eps: f64,
            ) -> [FloatTensor<Self>; 2] {
                same_dtype!("rms_norm", x, weight);
                let (y, scales) =
                    composed::rms_norm_forward(float::<Self, 2>(x), float::<Self, 1>(weight), eps);
                [float_primitive::<Self, 2>(y), float_primitive::<Self, 1>(scales)]
            }

            fn rms_norm_backward(
                grad: FloatTensor<Self>,
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                scales: FloatTensor<Self>,
            ) -> [FloatTensor<Self>; 2] {
                same_dtype!("the backward pass of rms_norm", x, weight, scales, grad);
                let (dx, dw) = composed::rms_norm_backward(
                    float::<Self, 2>(grad),
                    float::<Self, 2>(x),
                    float::<Self, 1>(weight),
                    float::<Self, 1>(scales),
                );
                [float_primitive::<Self, 2>(dx), float_primitive::<Self, 1>(dw)]
            }

            fn causal_softmax_forward(scores: FloatTensor<Self>, scale: f64) -> FloatTensor<Self> {
                let scores = float::<Self, 4>(scores);
                float_primitive::<Self, 4>(composed::causal_softmax_forward(scores, scale))
            }

            fn causal_softmax_backward(
                grad: FloatTensor<Self>,
                probs: FloatTensor<Self>,
                scale: f64,
            ) -> FloatTensor<Self> {
                same_dtype!("the backward pass of causal_softmax", probs, grad);
                let (grad, probs) = (float::<Self, 4>(grad), float::<Self, 4>(probs));
                float_primitive::<Self, 4>(composed::causal_softmax_backward(grad, probs, scale))
            }

            fn rotated(
                x: FloatTensor<Self>,
                cos: FloatTensor<Self>,
                sin: FloatTensor<Self>,
                pairs: Pairs,
                inverse: bool,
            ) -> FloatTensor<Self> {
                same_dtype!("rotate", x, cos, sin);
                let (x, cos, sin) = (float::<Self, 4>(x), float::<Self, 2>(cos), float::<Self, 2>(sin));
                float_primitive::<Self, 4>(composed::rotated(x, cos, sin, pairs, inverse))
            }
        }

        fused_ops_without_tape!($backend);
    };
}

#[cfg(feature = "flex")]
fused_on_slices!(burn::backend::Flex);
#[cfg(feature = "ndarray")]
fused_on_slices!(burn::backend::NdArray);
#[cfg(feature = "cuda")]
fused_from_tensors!(burn::backend::Cube);
fused_from_tensors!(burn::backend::Capture);
