//! Every kernel on a device against the CPU, and a small model.

use std::time::{Duration, Instant};

use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use coec_ir::{
    Act, Attention, Balance, ChainNorm, Coe, Dense, Ffn, Layer, Mha, Mla, Model, Projection, QkNorm,
    Residual, Rms, Router, Score, Stack, Tokens, Verified, verify,
};
use coec_kernels::{Activation, AdamWStep, Biases, Mixing, Pairing, Precision};
use coec_nn::{LanguageModel, Source};

use super::{DeviceError, guarded};

/// How far outputs may differ, and gradients: relative to their largest element.
const EXACT: [f64; 2] = [1e-4, 1e-3];
/// The same where results are rounded to bf16 before they enter the next product: two sums that differ in the last
/// digit may be rounded to neighbours, which are 1/256 apart.
const ROUNDED: [f64; 2] = [1e-2, 1e-2];

/// How a device agrees with the CPU.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// Operations that were tried, the small model among them.
    pub operations: usize,
    /// The largest relative difference of an output.
    pub outputs: f64,
    /// The largest relative difference of a gradient.
    pub gradients: f64,
    /// Where it did not, by its matrix units, which are not used therefore.
    pub distrusted: Option<DeviceError>,
    /// How long it took.
    pub took: Duration,
}

/// Runs every kernel and a small model on `device` and on `cpu`, forward and backward.
///
/// # Errors
///
/// The first difference beyond 1e-4 in an output or 1e-3 in a gradient, 1e-2 in bf16; or that the device failed.
pub fn check(device: &Device, cpu: &Device) -> Result<Agreement, DeviceError> {
    let begun = Instant::now();
    let agreement = compared(device, cpu).or_else(|error| match goes_on_without_matrix_units() {
        true => compared(device, cpu).map(|agreement| Agreement { distrusted: Some(error), ..agreement }),
        false => Err(error),
    })?;
    Ok(Agreement { took: begun.elapsed(), ..agreement })
}

/// Whether there is another way to multiply, which is taken from now on.
fn goes_on_without_matrix_units() -> bool {
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    return coec_kernels::without_matrix_units();
    #[cfg(not(any(feature = "wgpu", feature = "cuda")))]
    false
}

fn compared(device: &Device, cpu: &Device) -> Result<Agreement, DeviceError> {
    let took = Duration::default();
    let mut agreement = Agreement { operations: 0, outputs: 0.0, gradients: 0.0, distrusted: None, took };
    let rounded = products(Precision::Bf16).into_iter().map(|operation| (operation, ROUNDED));
    let exact = products(Precision::F32).into_iter().chain(others()).map(|operation| (operation, EXACT));
    for ((name, run), [of_outputs, of_gradients]) in exact.chain(rounded) {
        let is_rounded = of_outputs == ROUNDED[0];
        let operation = if is_rounded { format!("{name}, in bf16") } else { name.into() };
        let expected = run(cpu);
        let found = guarded(|| run(device))?;
        for (found, expected) in found.iter().zip(&expected) {
            let worst = worst(&found.values, &expected.values);
            let (most, bound) = match found.is_gradient {
                true => (&mut agreement.gradients, of_gradients),
                false => (&mut agreement.outputs, of_outputs),
            };
            if worst.error > bound || worst.error.is_nan() {
                let part = found.part.clone();
                let Worst { error, found, expected } = worst;
                return Err(DeviceError::Differs { operation, part, found, expected, error });
            }
            // Differences in bf16 are those of rounding, and say little of the device.
            if !is_rounded {
                *most = most.max(worst.error);
            }
        }
        agreement.operations += 1;
    }
    Ok(agreement)
}

/// What an operation makes on a device.
type Operation = dyn Fn(&Device) -> Vec<Part>;

/// An output, or the gradient of an input.
struct Part {
    part: String,
    is_gradient: bool,
    values: Vec<f64>,
}

impl Part {
    fn output<const D: usize>(tensor: Tensor<D>) -> Self {
        Self { part: "the output".into(), is_gradient: false, values: values(tensor) }
    }
}

struct Worst {
    error: f64,
    found: f64,
    expected: f64,
}

/// Where two lists differ most, relative to the largest element.
fn worst(found: &[f64], expected: &[f64]) -> Worst {
    let scale = expected.iter().fold(f64::MIN_POSITIVE, |most, value| most.max(value.abs()));
    let mut worst = Worst { error: 0.0, found: 0.0, expected: 0.0 };
    for (&found, &expected) in found.iter().zip(expected) {
        let error = (found - expected).abs() / scale;
        if found != expected && (error.is_nan() || error > worst.error) {
            worst = Worst { error, found, expected };
            if error.is_nan() {
                break;
            }
        }
    }
    worst
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// Numbers between -1 and 1 without a pattern, the same everywhere.
fn numbers<const D: usize>(seed: usize, shape: [usize; D], device: &Device) -> Tensor<D> {
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count)
        .map(|at| (((at + 17) * (at + 5 * seed + 3) * 7919) % 2003) as f32 / 1001.0 - 1.0)
        .collect();
    Tensor::<1>::from_data(TensorData::new(values, [count]), device).reshape(shape)
}

fn integers<const D: usize>(
    of: impl Fn(usize) -> usize,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D, Int> {
    let count = shape.iter().product();
    let values: Vec<i64> = (0..count).map(|at| of(at) as i64).collect();
    Tensor::<1, Int>::from_data(TensorData::new(values, [count]), device).reshape(shape)
}

/// The output of `f` and the gradients of its inputs, each of its shape.
fn differentiated<const N: usize, const O: usize>(
    shapes: [&'static [usize]; N],
    f: impl Fn([Tensor<1>; N]) -> Tensor<O>,
) -> impl Fn(&Device) -> Vec<Part> {
    move |device| {
        let device = device.clone().autodiff();
        let inputs: [Tensor<1>; N] =
            std::array::from_fn(|i| numbers(i, [shapes[i].iter().product()], &device).require_grad());
        let y = f(inputs.clone());
        let upstream = numbers(9, [y.shape().num_elements()], &device);
        let grads = (y.clone().reshape(upstream.shape()) * upstream).sum().backward();
        let mut parts = vec![Part::output(y)];
        for (i, input) in inputs.iter().enumerate() {
            if let Some(grad) = input.grad(&grads) {
                let part = format!("the gradient of input {}", i + 1);
                parts.push(Part { part, is_gradient: true, values: values(grad) });
            }
        }
        parts
    }
}

/// Every kernel that multiplies, by its name, with factors in `precision`. Sizes are such that no tile divides them;
/// the large ones take the tiles that large models do.
fn products(precision: Precision) -> Vec<(&'static str, Box<Operation>)> {
    vec![
        (
            "a linear map",
            Box::new(differentiated([&[70, 37], &[45, 37]], move |[x, w]| {
                coec_kernels::linear(x.reshape([70, 37]), w.reshape([45, 37]), precision)
            })),
        ),
        (
            "a large linear map",
            Box::new(differentiated([&[530, 70], &[520, 70]], move |[x, w]| {
                coec_kernels::linear(x.reshape([530, 70]), w.reshape([520, 70]), precision)
            })),
        ),
        (
            "the product of experts",
            Box::new(differentiated(
                [&[70, 20], &[70, 2], &[5, 34, 20], &[5, 20, 17]],
                move |[x, g, w, v]| {
                    let indices = integers(|slot| (slot / 2 + slot % 2 * 3) % 4, [70, 2], &x.device());
                    let (x, g) = (x.reshape([70, 20]), g.reshape([70, 2]));
                    let (w, v) = (w.reshape([5, 34, 20]), v.reshape([5, 20, 17]));
                    coec_kernels::experts(x, indices, g, w, v, None, Activation::Swiglu, precision)
                },
            )),
        ),
        (
            "the product of experts with biases",
            Box::new(differentiated(
                [&[70, 20], &[70, 2], &[5, 34, 20], &[5, 20, 17], &[5, 34], &[5, 20]],
                move |[x, g, w, v, b, c]| {
                    let indices = integers(|slot| (slot / 2 + slot % 2 * 3) % 4, [70, 2], &x.device());
                    // Of a size that some hidden units are clamped.
                    let (x, g) = (x.reshape([70, 20]) * 4.0, g.reshape([70, 2]));
                    let (w, v) = (w.reshape([5, 34, 20]), v.reshape([5, 20, 17]));
                    let biases = Biases { b_in: b.reshape([5, 34]), b_out: c.reshape([5, 20]) };
                    coec_kernels::experts(x, indices, g, w, v, Some(biases), Activation::Clamped, precision)
                },
            )),
        ),
        (
            "a large product of experts",
            Box::new(differentiated(
                [&[600, 36], &[600, 1], &[2, 70, 36], &[2, 36, 35]],
                move |[x, g, w, v]| {
                    let indices = integers(|slot| usize::from(slot % 5 > 1), [600, 1], &x.device());
                    let (x, g) = (x.reshape([600, 36]), g.reshape([600, 1]));
                    let (w, v) = (w.reshape([2, 70, 36]), v.reshape([2, 36, 35]));
                    coec_kernels::experts(x, indices, g, w, v, None, Activation::Swiglu, precision)
                },
            )),
        ),
        (
            "an MLP",
            Box::new(differentiated([&[70, 20], &[34, 20], &[20, 17]], move |[x, w, v]| {
                let (w, v) = (w.reshape([34, 20]), v.reshape([20, 17]));
                coec_kernels::mlp(x.reshape([70, 20]), w, v, None, Activation::Geglu, precision)
            })),
        ),
        (
            "an MLP with biases",
            Box::new(differentiated(
                [&[70, 20], &[34, 20], &[20, 34], &[34], &[20]],
                move |[x, w, v, b, c]| {
                    let (w, v) = (w.reshape([34, 20]), v.reshape([20, 34]));
                    let biases = Biases { b_in: b.reshape([34]), b_out: c.reshape([20]) };
                    let x = x.reshape([70, 20]);
                    coec_kernels::mlp(x, w, v, Some(biases), Activation::Gelu, precision)
                },
            )),
        ),
        (
            "attention",
            Box::new(differentiated([&[2, 70, 4, 8], &[2, 70, 2, 8], &[2, 70, 2, 6]], move |[q, k, v]| {
                let (q, k) = (q.reshape([2, 70, 4, 8]), k.reshape([2, 70, 2, 8]));
                let mixing = Mixing { scale: 0.3, window: None, block: 32, precision };
                coec_kernels::attention(q, k, v.reshape([2, 70, 2, 6]), None, mixing)
            })),
        ),
        (
            "attention through a window, with sinks",
            Box::new(differentiated(
                [&[2, 50, 4, 8], &[2, 70, 2, 8], &[2, 70, 2, 6], &[4]],
                move |[q, k, v, sinks]| {
                    let (q, k) = (q.reshape([2, 50, 4, 8]), k.reshape([2, 70, 2, 8]));
                    let mixing = Mixing { scale: 0.3, window: Some(23), block: 32, precision };
                    coec_kernels::attention(q, k, v.reshape([2, 70, 2, 6]), Some(sinks), mixing)
                },
            )),
        ),
        (
            "the loss",
            Box::new(differentiated([&[70, 20], &[300, 20]], move |[x, w]| {
                let device = x.device();
                let targets = integers(|row| row * 31 % 300, [70], &device);
                let weights = Tensor::<1>::ones([70], &device) / 70.0;
                let (x, w) = (x.reshape([70, 20]), w.reshape([300, 20]));
                coec_kernels::head_cross_entropy(x, w, targets, weights, 32, precision, 0.7)
            })),
        ),
    ]
}

/// Every other kernel, and at last what is made of them all.
fn others() -> Vec<(&'static str, Box<Operation>)> {
    vec![
        (
            "RMSNorm",
            Box::new(differentiated([&[70, 300], &[300]], |[x, w]| {
                coec_kernels::rms_norm(x.reshape([70, 300]), w, 1e-6)
            })),
        ),
        (
            "the rotary embedding",
            Box::new(differentiated([&[2, 9, 4, 6]], |[x]| {
                let device = x.device().inner();
                let (cos, sin) = (numbers(1, [9, 3], &device), numbers(2, [9, 3], &device));
                let (cos, sin) = (Tensor::from_inner(cos), Tensor::from_inner(sin));
                coec_kernels::rotate(x.reshape([2, 9, 4, 6]), cos, sin, Pairing::HalfSplit)
            })),
        ),
        (
            "a rotary embedding of part of the width",
            Box::new(differentiated([&[2, 9, 4, 7]], |[x]| {
                let device = x.device().inner();
                let (cos, sin) = (numbers(1, [9, 2], &device), numbers(2, [9, 2], &device));
                let (cos, sin) = (Tensor::from_inner(cos), Tensor::from_inner(sin));
                coec_kernels::rotate(x.reshape([2, 9, 4, 7]), cos, sin, Pairing::Neighbours)
            })),
        ),
        (
            "the softmax",
            Box::new(differentiated([&[70, 300]], |[x]| coec_kernels::softmax(x.reshape([70, 300])))),
        ),
        (
            "the selection of experts",
            Box::new(|device| {
                let selected = coec_kernels::select_top_k(numbers(1, [70, 37], device), 5);
                vec![Part::output(selected.float())]
            }),
        ),
        (
            "a look-up",
            Box::new(differentiated([&[41, 70]], |[table]| {
                let tokens = integers(|place| place * place % 41, [300], &table.device());
                coec_kernels::embed(table.reshape([41, 70]), tokens)
            })),
        ),
        ("a sum of tensors", Box::new(differentiated([&[700], &[700]], |[a, b]| coec_kernels::add(a, b)))),
        (
            "a sum of squares",
            Box::new(|device| vec![Part::output(coec_kernels::sum_of_squares(numbers(1, [40_000], device)))]),
        ),
        (
            "the AdamW update",
            Box::new(|device| {
                let [param, grad, first, second] = [1, 2, 3, 4].map(|seed| numbers(seed, [700], device));
                let step = AdamWStep {
                    lr: 0.01,
                    betas: [0.9, 0.95],
                    eps: 1e-8,
                    weight_decay: 0.1,
                    corrections: [0.1, 0.05],
                    scale: 0.5,
                };
                let (param, first, second) = coec_kernels::adamw(param, grad, first, second.abs(), step);
                [param, first, second].map(Part::output).into()
            }),
        ),
        ("a small model", Box::new(|device| of_model(&model(), device))),
    ]
}

/// A chain and a latent attention: two layers, with all that is between the kernels.
fn model() -> Verified<Model> {
    let chain = Coe {
        iter: 2,
        k: vec![2, 2],
        shared: 1,
        residual: Residual::Inner,
        norm: ChainNorm::Each,
        router: Router { renorm: true, ..Router::plain(Score::Softmax) },
        balance: vec![Balance::SeqAux { alpha: 0.01 }],
        ..Coe::plain(2, 6, 10)
    };
    let latent = Mla::plain(2, 9, [6, 4, 5]);
    let heads = Mha {
        kv_heads: 2,
        qk_norm: QkNorm::Head,
        bias: vec![Projection::Q, Projection::K, Projection::V],
        ..Mha::plain(4, 6)
    };
    let layers = [
        Layer { attention: Attention::Mha(heads), ffn: Ffn::Coe(chain) },
        Layer { attention: Attention::Mla(latent), ffn: Ffn::Dense(Dense::plain(14, Act::Gelu)) },
    ];
    let model = Model {
        name: "check".into(),
        doc: String::new(),
        vocab: 41,
        context: 12,
        dim: 18,
        norm: Rms { eps: 1e-6 },
        embedding: Tokens::plain(true),
        layers: Stack::from_layers(&layers),
    };
    verify(model).expect("a model that is written here is one")
}

/// Logits, loss and gradients.
fn of_model(model: &Verified<Model>, device: &Device) -> Vec<Part> {
    let device = device.clone().autodiff();
    let built = LanguageModel::new(model, &device, Source::Seed(7)).expect("it fits in memory");
    let tokens = integers(|place| place * place * 7 % 41, [2, 12], &device);
    let forward = built.forward(tokens.clone());
    let targets = integers(|place| place * 5 % 41, [2, 12], &device);
    let mut loss = coec_nn::cross_entropy(forward.logits.clone(), targets);
    let mut parts = vec![
        Part { part: "the logits".into(), is_gradient: false, values: values(forward.logits.tensor()) },
        Part { part: "the loss".into(), is_gradient: false, values: values(loss.clone()) },
    ];
    if let Some(balance) = forward.aux_loss {
        loss = loss + balance;
    }
    let grads = GradientsParams::from_grads(loss.backward(), &built);
    parts.extend(built.gradients(&grads).into_iter().map(|(param, values)| Part {
        part: format!("the gradient of {}", param.name),
        is_gradient: true,
        values: values.into_iter().map(f64::from).collect(),
    }));
    parts
}
