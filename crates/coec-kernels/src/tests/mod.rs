//! What holds for every kernel, fused and composed, on every backend of the CPU.
#![allow(deprecated)] // NdArray stays until upstream removes it

mod attention;
mod bf16;
mod biases;
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

use burn::tensor::{DType, Device, Distribution, Gradients, Tensor, TensorData};

use crate::{Activation, Biases, Precision, experts, experts::tensors::Tensors, select_top_k};

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

/// The output and the gradients of x, gates, W_in, W_out and, where there are some, of the biases, row-major.
type Outcome = Vec<(&'static str, Vec<f64>)>;

/// An outcome by its tensors.
fn outcome_of(
    [output, x, gates]: [Tensor<2>; 3],
    [w_in, w_out]: [Tensor<3>; 2],
    biases: Option<Biases<2>>,
) -> Outcome {
    let of_products = [
        ("output", values(output)),
        ("x", values(x)),
        ("gates", values(gates)),
        ("w_in", values(w_in)),
        ("w_out", values(w_out)),
    ];
    let biases = biases.map(|Biases { b_in, b_out }| [("b_in", values(b_in)), ("b_out", values(b_out))]);
    of_products.into_iter().chain(biases.into_iter().flatten()).collect()
}

impl Product {
    /// Random inputs: tokens, width, experts, selected, expert width.
    fn random([n, d, e, k, f]: [usize; 5], act: Activation, device: &Device, dtype: DType) -> Self {
        let inputs = Tensors {
            x: random([n, d], device, dtype),
            indices: select_top_k(random([n, e], device, dtype), k),
            gates: random([n, k], device, dtype),
            w_in: random([e, act.inputs() * f, d], device, dtype) * scale(act, d),
            w_out: random([e, d, f], device, dtype),
            biases: None,
            act,
        };
        Self { inputs, precision: Precision::F32, grad: random([n, d], device, dtype) }
    }

    /// With and without biases.
    fn with_biases_and_without(self) -> [Self; 2] {
        [self.clone().with_biases(), self]
    }

    /// With random biases, such that every output has something of them.
    fn with_biases(mut self) -> Self {
        let Tensors { x, w_in, .. } = &self.inputs;
        let ([e, wide, d], device, dtype) = (w_in.dims(), x.device(), x.dtype());
        let (b_in, b_out) = (random([e, wide], &device, dtype), random([e, d], &device, dtype));
        self.inputs.biases = Some(Biases { b_in, b_out: b_out * 3.0 });
        self
    }

    /// The same sizes with other values: sines without a pattern, the same everywhere. For bounds that normal values
    /// keep most of the time.
    fn with_sines(self) -> Self {
        let Tensors { x, indices, gates, w_in, w_out, biases, act } = self.inputs;
        let (x, gates) = (sines(1, &x), sines(2, &gates));
        let [n, k] = indices.dims();
        let experts = w_in.dims()[0];
        let scores = sines(5, &Tensor::zeros([n, experts], (&x.device(), x.dtype())));
        let inputs = Tensors {
            indices: select_top_k(scores, k),
            w_in: sines(3, &w_in) * scale(act, x.dims()[1]),
            w_out: sines(4, &w_out),
            biases: biases.map(|biases| biases.map(|bias| sines(7, &bias))),
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
        let Tensors { x, indices, gates, w_in, w_out, biases, act } = &self.inputs;
        let inputs = Tensors {
            x: on(device, x),
            indices: Tensor::from_data(indices.to_data(), device),
            gates: on(device, gates),
            w_in: on(device, w_in),
            w_out: on(device, w_out),
            biases: biases.clone().map(|biases| biases.map(|bias| on(device, &bias))),
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
        wide.inputs.biases =
            self.inputs.biases.clone().map(|biases| biases.map(|bias| bias.cast(DType::F64)));
        wide.grad = self.grad.clone().cast(DType::F64);
        wide
    }

    /// With inputs that gradients are sought of.
    fn tracked(self) -> Self {
        let Tensors { x, indices, gates, w_in, w_out, biases, act } = self.inputs;
        let inputs = Tensors {
            x: x.require_grad(),
            indices,
            gates: gates.require_grad(),
            w_in: w_in.require_grad(),
            w_out: w_out.require_grad(),
            biases: biases.map(|biases| biases.map(Tensor::require_grad)),
            act,
        };
        Self { inputs, ..self }
    }

    /// By the kernel of the backend, and its backward pass on the tape.
    fn fused(&self) -> Outcome {
        let device = self.inputs.x.device().autodiff();
        let Self { inputs, precision, grad } = self.on(&device).tracked();
        let Tensors { x, indices, gates, w_in, w_out, biases, act } = inputs.clone();
        let y = experts(x, indices, gates, w_in, w_out, biases, act, precision);
        let grads = (y.clone() * grad).sum().backward();
        inputs.outcome(y, &grads)
    }

    /// From Burn's own operations.
    fn composed(&self) -> Outcome {
        let Self { inputs, precision, grad } = self.clone();
        let (y, hidden) = slow_experts::forward(inputs.clone(), precision);
        let grads = slow_experts::backward(inputs, hidden, grad, precision);
        outcome_of([y, grads.x, grads.gates], [grads.w_in, grads.w_out], grads.biases)
    }
}

impl Tensors {
    /// The outcome of inputs that were tracked.
    fn outcome(self, y: Tensor<2>, grads: &Gradients) -> Outcome {
        let [x, gates] = [self.x, self.gates].map(|input| input.grad(grads).unwrap());
        let of_weights = [self.w_in, self.w_out].map(|weight| weight.grad(grads).unwrap());
        let biases = self.biases.map(|biases| biases.map(|bias| bias.grad(grads).unwrap()));
        outcome_of([y.inner(), x, gates], of_weights, biases)
    }
}
