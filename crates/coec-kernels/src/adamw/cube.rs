//! The AdamW update on GPUs: one launch, a unit an element, in place where nobody else holds a tensor.

use burn::backend::{Cube, TensorMetadata, tensor::FloatTensor};
use burn_cubecl::{kernel::into_contiguous, tensor::CubeTensor};
use cubecl::prelude::*;

use super::{AdamWKernel, AdamWStep, State};
use crate::cube::{UNITS, ask_for_f32, buffer, cubes_of_units};

impl AdamWKernel for Cube {
    fn updated(state: State<Self>, grad: FloatTensor<Self>, step: AdamWStep) -> State<Self> {
        ask_for_f32("adamw", grad.dtype());
        let count = grad.shape().num_elements();
        let (param, first, second) = (owned(state.param), owned(state.first), owned(state.second));
        let [b1, b2] = step.betas;
        let [c1, c2] = step.corrections;
        update::launch(
            &grad.client,
            cubes_of_units(count),
            CubeDim::new_1d(UNITS),
            buffer(&param),
            buffer(&grad),
            buffer(&first),
            buffer(&second),
            count,
            NumbersLaunch::new(
                step.scale as f32,
                b1 as f32,
                (1.0 - b1) as f32,
                b2 as f32,
                (1.0 - b2) as f32,
                (1.0 - step.lr * step.weight_decay) as f32,
                (step.lr / c1) as f32,
                (1.0 / c2) as f32,
                step.eps as f32,
            ),
        );
        State { param, first, second }
    }
}

/// The tensor as one that may be written to.
fn owned(tensor: CubeTensor) -> CubeTensor {
    let tensor = into_contiguous(tensor);
    if tensor.can_mut() { tensor } else { tensor.copy() }
}

/// The numbers of a step, as the update takes them.
#[derive(CubeLaunch, CubeType, Clone, Copy)]
struct Numbers {
    scale: f32,
    first_keeps: f32,
    first_takes: f32,
    second_keeps: f32,
    second_takes: f32,
    decay: f32,
    rate: f32,
    correction: f32,
    eps: f32,
}

#[cube(launch)]
fn update(
    param: &mut [f32],
    grad: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    count: usize,
    numbers: &Numbers,
) {
    let at = ABSOLUTE_POS;
    if at >= count {
        terminate!();
    }
    let grad = grad[at] * numbers.scale;
    let mean = numbers.first_keeps * first[at] + numbers.first_takes * grad;
    let square = numbers.second_keeps * second[at] + numbers.second_takes * grad * grad;
    first[at] = mean;
    second[at] = square;
    let root = f32::sqrt(square * numbers.correction) + numbers.eps;
    param[at] = param[at] * numbers.decay - numbers.rate * mean / root;
}
