//! What holds for every kernel, fused and composed, on every backend of the CPU.
#![allow(deprecated)] // NdArray stays until upstream removes it

mod attention;
mod bf16;
mod blocks;
mod clamped;
mod composed;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod cube;
mod dtypes;
mod linear;
mod nan;
mod product;
mod recompute;
mod rotation;
mod rows;
mod slow_cross_entropy;
mod slow_experts;
mod threads;

use burn::tensor::{DType, Device, Distribution, Tensor, TensorData};

use crate::{Activation, Precision, experts, experts::tensors::Tensors, select_top_k};

/// Both precisions.
const BOTH: [Precision; 2] = [Precision::F32, Precision::Bf16];

const ACTS: [Activation; 5] =
    [Activation::Swiglu, Activation::Geglu, Activation::Clamped, Activation::Gelu, Activation::Relu2];

/// The backends of the CPU, by name.
fn devices() -> Vec<(&'static str, Device)> {
    vec![
        #[cfg(feature = "flex")]
        ("flex", Device::flex()),
        #[cfg(feature = "ndarray")]
        ("ndarray", Device::ndarray()),
    ]
}

/// Normal values.
fn random<const D: usize>(shape: [usize; D], device: &Device, dtype: DType) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), (device, dtype))
}

/// As many values of one spread with normal ones.
fn sines<const D: usize>(seed: usize, like: &Tensor<D>) -> Tensor<D> {
    let count = like.shape().num_elements();
    let value = |at: usize| std::f64::consts::SQRT_2 * ((at * at + 7 * at + 31 * seed) as f64).sin();
    let values: Vec<f64> = (0..count).map(value).collect();
    Tensor::from_data(TensorData::new(values, like.dims()), (&like.device(), like.dtype()))
}

/// The elements of a tensor, exactly: f64 holds every f32.
fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// The values as a tensor of `device`.
fn on<const D: usize>(device: &Device, tensor: &Tensor<D>) -> Tensor<D> {
    Tensor::from_data(tensor.to_data(), (device, tensor.dtype()))
}

/// Of the first weights: such that a good part of the hidden units is beyond the limits of an activation that
/// has some, whatever the width.
fn scale(act: Activation, width: usize) -> f64 {
    if act == Activation::Clamped { 1.0 + 8.0 / (width as f64).sqrt() } else { 1.0 }
}

/// Inputs of the expert product, and the gradient of its output.
#[derive(Clone)]
struct Product {
    inputs: Tensors,
    precision: Precision,
    grad: Tensor<2>,
}

/// The output and the gradients of x, gates, W_in and W_out, row-major.
type Outcome = [(&'static str, Vec<f64>); 5];

impl Product {
    /// Random inputs: tokens, width, experts, selected, expert width.
    fn random([n, d, e, k, f]: [usize; 5], act: Activation, device: &Device, dtype: DType) -> Self {
        let inputs = Tensors {
            x: random([n, d], device, dtype),
            indices: select_top_k(random([n, e], device, dtype), k),
            gates: random([n, k], device, dtype),
            w_in: random([e, act.inputs() * f, d], device, dtype) * scale(act, d),
            w_out: random([e, d, f], device, dtype),
            act,
        };
        Self { inputs, precision: Precision::F32, grad: random([n, d], device, dtype) }
    }

    /// The same sizes with other values: sines without a pattern, the same everywhere. For bounds that normal values
    /// keep most of the time.
    fn with_sines(self) -> Self {
        let Tensors { x, indices, gates, w_in, w_out, act } = self.inputs;
        let (x, gates) = (sines(1, &x), sines(2, &gates));
        let [n, k] = indices.dims();
        let experts = w_in.dims()[0];
        let scores = sines(5, &Tensor::zeros([n, experts], (&x.device(), x.dtype())));
        let inputs = Tensors {
            indices: select_top_k(scores, k),
            w_in: sines(3, &w_in) * scale(act, x.dims()[1]),
            w_out: sines(4, &w_out),
            x,
            gates,
            act,
        };
        Self { inputs, grad: sines(6, &self.grad), ..self }
    }

    /// The same in another precision.
    fn within(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The same values on another backend.
    fn on(&self, device: &Device) -> Self {
        let Tensors { x, indices, gates, w_in, w_out, act } = &self.inputs;
        let inputs = Tensors {
            x: on(device, x),
            indices: Tensor::from_data(indices.to_data(), device),
            gates: on(device, gates),
            w_in: on(device, w_in),
            w_out: on(device, w_out),
            act: *act,
        };
        Self { inputs, precision: self.precision, grad: on(device, &self.grad) }
    }

    /// The same values in f64.
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    fn in_f64(&self) -> Self {
        let mut wide = self.clone();
        let Tensors { x, gates, w_in, w_out, .. } = &self.inputs;
        wide.inputs.x = x.clone().cast(DType::F64);
        wide.inputs.gates = gates.clone().cast(DType::F64);
        wide.inputs.w_in = w_in.clone().cast(DType::F64);
        wide.inputs.w_out = w_out.clone().cast(DType::F64);
        wide.grad = self.grad.clone().cast(DType::F64);
        wide
    }

    /// By the kernel of the backend, and its backward pass on the tape.
    fn fused(&self) -> Outcome {
        let device = self.inputs.x.device().autodiff();
        let Self { inputs: Tensors { x, indices, gates, w_in, w_out, act }, precision, grad } =
            self.on(&device);
        let (x, gates) = (x.require_grad(), gates.require_grad());
        let (w_in, w_out) = (w_in.require_grad(), w_out.require_grad());
        let y = experts(x.clone(), indices, gates.clone(), w_in.clone(), w_out.clone(), act, precision);
        let grads = (y.clone() * grad).sum().backward();
        [
            ("output", values(y)),
            ("x", values(x.grad(&grads).unwrap())),
            ("gates", values(gates.grad(&grads).unwrap())),
            ("w_in", values(w_in.grad(&grads).unwrap())),
            ("w_out", values(w_out.grad(&grads).unwrap())),
        ]
    }

    /// From Burn's own operations.
    fn composed(&self) -> Outcome {
        let Self { inputs, precision, grad } = self.clone();
        let (y, hidden) = slow_experts::forward(inputs.clone(), precision);
        let grads = slow_experts::backward(inputs, hidden, grad, precision);
        [
            ("output", values(y)),
            ("x", values(grads.x)),
            ("gates", values(grads.gates)),
            ("w_in", values(grads.w_in)),
            ("w_out", values(grads.w_out)),
        ]
    }
}
