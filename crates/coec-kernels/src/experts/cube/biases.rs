//! What flows back to biases: sums over the rows of each expert.

use burn::backend::cubecl::dtype_to_storage_type;
use burn::tensor::DType;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use crate::cube::{Route, UNITS, buffer, cube_sum, cubes, empty, units};

/// Columns that a cube sums up.
const COLUMNS: usize = 32;

/// Units that go through the rows of one column together.
const LANES: usize = UNITS as usize / COLUMNS;

/// Rows of a tensor, each of `width`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// All `count` of them.
    All { count: usize },
    /// The sorted rows of each expert.
    Sorted(&'a Route),
    /// The rows of the tokens in place of sorted ones, weighed by gates.
    Weighed(&'a Route, &'a CubeTensor),
}

/// The sum of the rows, for each expert where they are sorted: `[E, width]`, or `[width]`.
pub(crate) fn sums_of_rows(from: &CubeTensor, width: usize, rows: Rows<'_>) -> CubeTensor {
    let (route, gates) = match rows {
        Rows::All { .. } => (None, None),
        Rows::Sorted(route) => (Some(route), None),
        Rows::Weighed(route, gates) => (Some(route), Some(gates)),
    };
    let sums = match route {
        Some(route) => empty(from, [route.experts, width], DType::F32),
        None => empty(from, [width], DType::F32),
    };
    let (count, experts, selected) = match rows {
        Rows::All { count } => (count, 1, 1),
        Rows::Sorted(route) | Rows::Weighed(route, _) => (route.count, route.experts, route.selected),
    };
    // Any buffer where none is read.
    let (offsets, slots) = route.map_or((from, from), |route| (&route.offsets, &route.slots));
    sum_up::launch(
        &from.client,
        CubeCount::Static(width.div_ceil(COLUMNS) as u32, experts as u32, 1),
        CubeDim::new_1d(UNITS),
        buffer(from),
        buffer(offsets),
        buffer(slots),
        buffer(gates.unwrap_or(from)),
        buffer(&sums),
        count,
        width,
        selected,
        route.is_some(),
        gates.is_some(),
    );
    sums
}

/// Each unit of a column sums up every eighth row; then their sums are summed up.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn sum_up(
    from: &[f32],
    offsets: &[u32],
    slots: &[u32],
    gates: &[f32],
    sums: &mut [f32],
    count: usize,
    width: usize,
    selected: usize,
    #[comptime] is_sorted: bool,
    #[comptime] is_weighed: bool,
) {
    let expert = CUBE_POS_Y as usize;
    let lane = UNIT_POS as usize / COLUMNS;
    let column = CUBE_POS_X as usize * COLUMNS + UNIT_POS as usize % COLUMNS;
    let mut row = lane;
    let mut end = count;
    if comptime!(is_sorted) {
        row += offsets[expert] as usize;
        end = offsets[expert + 1] as usize;
    }
    let mut sum = 0.0f32;
    if column < width {
        while row < end {
            if comptime!(is_weighed) {
                let slot = slots[row] as usize;
                sum += gates[slot] * from[slot / selected * width + column];
            } else {
                sum += from[row * width + column];
            }
            row += LANES;
        }
    }
    let mut of_lanes = Shared::<[f32]>::new_slice(UNITS as usize);
    of_lanes[UNIT_POS as usize] = sum;
    sync_cube();
    if lane == 0 && column < width {
        let mut all = 0.0f32;
        for other in 0..LANES {
            all += of_lanes[other * COLUMNS + UNIT_POS as usize];
        }
        sums[expert * width + column] = all;
    }
}

/// Adds to the gradient of each gate `[N, K]` what it has of its expert's second bias: `b_out . dy`.
pub(crate) fn add_to_gates(
    gates_grad: &CubeTensor,
    b_out: &CubeTensor,
    indices: &CubeTensor,
    output_grad: &CubeTensor,
    route: &Route,
    dim: usize,
) {
    flow_to_gates::launch(
        &gates_grad.client,
        cubes(route.count),
        CubeDim::new_1d(units(dim)),
        buffer(output_grad),
        buffer(b_out),
        buffer(indices),
        buffer(gates_grad),
        route.count,
        dim,
        route.selected,
        route.experts,
        units(dim),
        dtype_to_storage_type(indices.dtype),
    );
}

/// A cube a slot.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn flow_to_gates<I: Int>(
    grad: &[f32],
    bias: &[f32],
    indices: &[I],
    gates_grad: &mut [f32],
    count: usize,
    dim: usize,
    selected: usize,
    experts: usize,
    #[comptime] units: u32,
    #[define(I)] _int: ElemType,
) {
    let slot = CUBE_POS;
    if slot >= count {
        terminate!();
    }
    let (token, expert) = (slot / selected, usize::cast_from(indices[slot]));
    let mut sum = 0.0f32;
    // A slot with no expert has no bias.
    if expert < experts {
        let mut column = UNIT_POS as usize;
        while column < dim {
            sum += bias[expert * dim + column] * grad[token * dim + column];
            column += units as usize;
        }
    }
    let sum = cube_sum(sum, units);
    if UNIT_POS == 0 {
        gates_grad[slot] += sum;
    }
}
