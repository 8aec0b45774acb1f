//! What is done with rows between and after the products.

use burn::backend::TensorMetadata;
use burn::tensor::DType;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use crate::{
    Activation, Precision,
    cube::{
        Route, UNITS, activated, buffer, cube_sum, cubes, cubes_of_units, divisible, empty, gradients,
        nearest_bf16, units,
    },
};

/// The sum of each token's rows, weighed by its gates where there are any: `[N*K, D]` to `[N, D]`.
pub(crate) fn combined(
    sorted: &CubeTensor,
    route: &Route,
    gates: Option<&CubeTensor>,
    [tokens, dim]: [usize; 2],
) -> CubeTensor {
    let out = empty(sorted, [tokens, dim], DType::F32);
    combine::launch(
        &out.client,
        cubes_of_units(tokens * dim),
        CubeDim::new_1d(UNITS),
        buffer(sorted),
        buffer(&route.rows),
        buffer(gates.unwrap_or(sorted)),
        buffer(&out),
        tokens * dim,
        dim,
        route.selected,
        route.count,
        gates.is_some(),
    );
    out
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn combine(
    sorted: &[f32],
    rows: &[u32],
    gates: &[f32],
    out: &mut [f32],
    elements: usize,
    dim: usize,
    selected: usize,
    count: usize,
    #[comptime] weighed: bool,
) {
    let at = ABSOLUTE_POS;
    if at >= elements {
        terminate!();
    }
    let (token, column) = (at / dim, at % dim);
    let mut sum = 0.0f32;
    for k in 0..selected {
        let slot = token * selected + k;
        let row = rows[slot] as usize;
        // A slot with no expert has no row.
        if row < count {
            let mut value = sorted[row * dim + column];
            if comptime!(weighed) {
                value *= gates[slot];
            }
            sum += value;
        }
    }
    out[at] = sum;
}

/// How rows are weighed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weighing<'a> {
    /// `[N, K]`.
    pub gates: &'a CubeTensor,
    /// The slot of each row.
    pub slots: &'a CubeTensor,
    /// `[N, K]`: where their gradients go.
    pub gates_grad: &'a CubeTensor,
}

/// From what flows back to the activated rows: the derivative `[N*K, G*F]`, and the activated rows `[N*K, F]`
/// again, weighed.
pub(crate) fn differentiated(
    flown: &CubeTensor,
    hidden: &CubeTensor,
    weighing: Option<Weighing<'_>>,
    act: Activation,
    precision: Precision,
) -> [CubeTensor; 2] {
    let [count, wide] = hidden.shape().dims();
    let width = wide / act.inputs();
    let (derivative, activated) =
        (empty(hidden, [count, wide], DType::F32), empty(hidden, [count, width], DType::F32));
    let (gates, slots, gates_grad) = match weighing {
        Some(Weighing { gates, slots, gates_grad }) => (buffer(gates), buffer(slots), buffer(gates_grad)),
        None => (buffer(hidden), buffer(hidden), buffer(&empty(hidden, [1], DType::F32))),
    };
    differentiate::launch(
        &hidden.client,
        cubes(count),
        CubeDim::new_1d(units(width)),
        buffer(flown),
        buffer(hidden),
        gates,
        slots,
        buffer(&derivative),
        buffer(&activated),
        gates_grad,
        count,
        width,
        units(width),
        act,
        weighing.is_some(),
        precision == Precision::Bf16,
    );
    [derivative, activated]
}

/// One cube a row.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn differentiate(
    flown: &[f32],
    hidden: &[f32],
    gates: &[f32],
    slots: &[u32],
    derivative: &mut [f32],
    h: &mut [f32],
    gates_grad: &mut [f32],
    count: usize,
    width: usize,
    #[comptime] units: u32,
    #[comptime] act: Activation,
    #[comptime] weighed: bool,
    #[comptime] rounded: bool,
) {
    let row = CUBE_POS;
    if row >= count {
        terminate!();
    }
    let inputs = comptime!(act.inputs());
    // What weighed before the product, and what weighs after it.
    let mut before = 1.0f32;
    let mut after = 1.0f32;
    let mut slot = 0usize.runtime();
    if comptime!(weighed) {
        slot = slots[row] as usize;
        after = gates[slot];
        if comptime!(rounded) {
            before = divisible(after);
            after = select(before == after, 1.0f32, after);
        }
    }
    let mut sum = 0.0f32;
    let mut column = UNIT_POS as usize;
    while column < width {
        let line = row * width * inputs;
        let gate = hidden[line + column];
        let up = hidden[line + column + width * (inputs - 1)];
        let grad = flown[row * width + column];
        let mut value = activated(gate, up, act);
        if comptime!(rounded) {
            // As it was in the forward pass: what the gate weighed was made of that.
            value = nearest_bf16(value);
        }
        h[row * width + column] = value * after;
        sum += grad * value;
        let (first, second) = gradients(grad * after, gate, up, act);
        derivative[line + column] = first;
        if comptime!(inputs == 2) {
            derivative[line + width + column] = second;
        }
        column += units as usize;
    }
    if comptime!(weighed) {
        let sum = cube_sum(sum, units);
        if UNIT_POS == 0 {
            gates_grad[slot] = sum / before;
        }
    }
}
