//! A segment that is run again has the gradients of one that is kept, to the bit.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use burn::backend::DispatchTensor;
use burn::tensor::{DType, Device, Tensor};

use super::{devices, random, values};
use crate::{recomputed, rms_norm};

/// Two outputs, each of which leads back to x and the weights by several ways of equal length, so that the
/// order in which gradients are added shows.
fn segment(x: Tensor<2>, weights: [Tensor<2>; 3]) -> [Tensor<2>; 2] {
    let [_, d] = x.dims();
    let ones = Tensor::ones([d], (&x.device(), x.dtype()));
    let u = rms_norm(x.clone(), ones, 1e-6);
    let [a, b, c] = weights.map(|weight| u.clone().matmul(weight));
    [x + a.clone() * b.clone() + c.clone(), a * c + b]
}

/// The inputs, as leaves.
struct Leaves {
    x: Tensor<2>,
    weights: [Tensor<2>; 3],
}

impl Leaves {
    fn new(device: &Device, dtype: DType) -> Self {
        let tensor = |rows: usize| random([rows, 6], device, dtype).require_grad();
        Self { x: tensor(9), weights: std::array::from_fn(|_| tensor(6)) }
    }

    /// The gradients of x and the weights, as far as there are some.
    fn gradients(&self, loss: Tensor<1>) -> Vec<Option<Vec<f64>>> {
        let grads = loss.backward();
        std::iter::once(&self.x).chain(&self.weights).map(|leaf| leaf.grad(&grads).map(values)).collect()
    }

    /// [`segment`] behind a product with `x`, kept.
    fn kept(&self) -> [Tensor<2>; 2] {
        segment(self.x.clone() * 2.0, self.weights.clone())
    }

    /// The same, run again; `runs` counts how often.
    fn again(&self, runs: &Arc<AtomicUsize>) -> [Tensor<2>; 2] {
        let plain = |tensor: &Tensor<2>| tensor.clone().set_require_grad(false);
        let x = self.x.clone() * 2.0;
        let weights = self.weights.each_ref();
        let outputs = segment(plain(&x), weights.map(plain)).map(Tensor::into_dispatch);
        let runs = runs.clone();
        let run = move |x: DispatchTensor, leaves: Vec<DispatchTensor>| {
            runs.fetch_add(1, Relaxed);
            let mut leaves = leaves.into_iter().map(Tensor::from_dispatch);
            let weights = std::array::from_fn(|_| leaves.next().unwrap());
            segment(Tensor::from_dispatch(x), weights).map(Tensor::into_dispatch).to_vec()
        };
        let leaves = weights.map(|leaf| leaf.clone().into_dispatch()).to_vec();
        let outputs = recomputed(x.into_dispatch(), leaves, outputs.to_vec(), Box::new(run));
        let mut outputs = outputs.into_iter().map(Tensor::from_dispatch);
        std::array::from_fn(|_| outputs.next().unwrap())
    }
}

/// What becomes of the outputs: either first, or one of them alone.
const LOSSES: [fn([Tensor<2>; 2]) -> Tensor<1>; 4] =
    [|[a, b]| a.sum() + b.sum() * 0.3, |[a, b]| b.sum() * 0.3 + a.sum(), |[a, _]| a.sum(), |[_, b]| b.sum()];

#[test]
fn gradients_are_the_same_bits() {
    for (name, device) in devices() {
        let device = device.autodiff();
        for dtype in [DType::F32, DType::F64] {
            let leaves = Leaves::new(&device, dtype);
            for (number, loss) in LOSSES.into_iter().enumerate() {
                let runs = Arc::default();
                let (kept, again) = (leaves.kept(), leaves.again(&runs));
                assert_eq!(again.clone().map(values), kept.clone().map(values), "{name}, {dtype:?}");
                let (kept, again) = (leaves.gradients(loss(kept)), leaves.gradients(loss(again)));
                assert_eq!(again, kept, "{name}, {dtype:?}, loss {number}");
                assert_eq!(runs.load(Relaxed), 1, "it is run again once");
            }
        }
    }
}

/// Nothing is run where no gradient goes, and gradients reach the weights where none goes to x.
#[test]
fn what_has_no_gradient_is_left_out() {
    for (name, device) in devices() {
        let mut leaves = Leaves::new(&device.autodiff(), DType::F32);
        leaves.x = leaves.x.set_require_grad(false);
        let runs = Arc::default();
        let kept = leaves.gradients(LOSSES[0](leaves.kept()));
        assert_eq!(leaves.gradients(LOSSES[0](leaves.again(&runs))), kept, "{name}");
        assert!(kept[0].is_none() && kept[1..].iter().all(Option::is_some), "{name}");

        leaves.weights = leaves.weights.map(|weight| weight.set_require_grad(false));
        let [a, _] = leaves.again(&runs);
        assert!(!a.is_tracked(), "{name}");
        assert_eq!(runs.load(Relaxed), 1, "{name}");
    }
}

/// A tape that is dropped without a backward pass goes when Burn clears up, after the next one.
#[test]
fn a_tape_that_is_dropped_holds_nothing() {
    for (name, device) in devices() {
        let leaves = Leaves::new(&device.autodiff(), DType::F32);
        let held = Arc::new(AtomicUsize::new(0));
        drop(leaves.again(&held));
        drop(leaves.gradients(LOSSES[0](leaves.again(&Arc::default()))));
        assert_eq!((Arc::strong_count(&held), held.load(Relaxed)), (1, 0), "{name}");
    }
}
