//! What holds for every kernel, fused and composed, on every backend of the CPU.
#![allow(deprecated)] // NdArray stays until upstream removes it

mod blocks;
mod nan;
mod threads;

use burn::tensor::{DType, Device, Distribution, Int, Tensor};

use crate::{Activation, backend::composed, experts, select_top_k};

const ACTS: [Activation; 4] = [Activation::Swiglu, Activation::Geglu, Activation::Gelu, Activation::Relu2];

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

/// The elements of a tensor, exactly: f64 holds every f32.
fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// The values as a tensor of `device`.
fn on<const D: usize>(device: &Device, tensor: &Tensor<D>) -> Tensor<D> {
    Tensor::from_data(tensor.to_data(), (device, tensor.dtype()))
}

/// Inputs of the expert product, and the gradient of its output.
#[derive(Clone)]
struct Product {
    x: Tensor<2>,
    indices: Tensor<2, Int>,
    gates: Tensor<2>,
    w_in: Tensor<3>,
    w_out: Tensor<3>,
    grad: Tensor<2>,
    act: Activation,
}

/// The output and the gradients of x, gates, W_in and W_out, row-major.
type Outcome = [(&'static str, Vec<f64>); 5];

impl Product {
    /// Random inputs: tokens, width, experts, selected, expert width.
    fn random([n, d, e, k, f]: [usize; 5], act: Activation, device: &Device, dtype: DType) -> Self {
        Self {
            x: random([n, d], device, dtype),
            indices: select_top_k(random([n, e], device, dtype), k),
            gates: random([n, k], device, dtype),
            w_in: random([e, act.inputs() * f, d], device, dtype),
            w_out: random([e, d, f], device, dtype),
            grad: random([n, d], device, dtype),
            act,
        }
    }

    /// The same values on another backend.
    fn on(&self, device: &Device) -> Self {
        Self {
            x: on(device, &self.x),
            indices: Tensor::from_data(self.indices.to_data(), device),
            gates: on(device, &self.gates),
            w_in: on(device, &self.w_in),
            w_out: on(device, &self.w_out),
            grad: on(device, &self.grad),
            act: self.act,
        }
    }

    /// By the kernel of the backend, and its backward pass on the tape.
    fn fused(&self) -> Outcome {
        let device = self.x.device().autodiff();
        let (x, gates) = (on(&device, &self.x).require_grad(), on(&device, &self.gates).require_grad());
        let (w_in, w_out) = (on(&device, &self.w_in).require_grad(), on(&device, &self.w_out).require_grad());
        let indices = Tensor::from_data(self.indices.to_data(), &device);
        let y = experts(x.clone(), indices, gates.clone(), w_in.clone(), w_out.clone(), self.act);
        let grads = (y.clone() * on(&device, &self.grad)).sum().backward();
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
        let Self { x, indices, gates, w_in, w_out, grad, act } = self.clone();
        let (y, hidden) =
            composed::forward(x.clone(), indices.clone(), gates.clone(), w_in.clone(), w_out.clone(), act);
        let (x, gates, w_in, w_out) = composed::backward(grad, x, indices, gates, w_in, w_out, hidden, act);
        [
            ("output", values(y)),
            ("x", values(x)),
            ("gates", values(gates)),
            ("w_in", values(w_in)),
            ("w_out", values(w_out)),
        ]
    }
}
