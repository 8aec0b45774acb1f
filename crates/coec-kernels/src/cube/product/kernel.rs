//! The product: one launch, whatever the number of experts.

use cubecl::prelude::*;

use super::{
    form::{Form, Sizes, finish, place},
    lines::{Lines, sums},
    matrix_units,
};

/// `out = left right`, with a bias where there is one; with an activation, `activated = act(out)` beside it.
///
/// With a gate, the right factor's columns are those of the gate and then as many of what goes up; a tile
/// has some of the gate and their partners.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
pub(super) fn multiply(
    left: &[f32],
    right: &[f32],
    out: &mut [f32],
    activated: &mut [f32],
    table: &[u32],
    slots: &[u32],
    gates: &[f32],
    bias: &[f32],
    sizes: &Sizes,
    #[comptime] form: Form,
) {
    let tile = comptime!(form.tile);
    let inputs = comptime!(form.inputs());
    let at = place(table, sizes, form);
    if at.first_row >= at.end_row {
        terminate!();
    }
    let width = sizes.columns / inputs; // of what is activated
    let rows = Lines {
        base: at.left,
        per_line: sizes.left_row,
        per_place: sizes.left_place,
        first: at.first_row,
        end: at.end_row,
        between: 0usize.runtime(),
        selected: sizes.selected,
    };
    let columns = Lines {
        base: at.right,
        per_line: sizes.right_column,
        per_place: sizes.right_place,
        first: at.first_column,
        end: width,
        between: width,
        selected: sizes.selected,
    };
    if comptime!(form.by_matrix_units) {
        matrix_units::multiply(
            left, right, out, activated, &rows, &columns, slots, gates, bias, &at, sizes, form,
        );
    } else {
        let sums =
            sums(left, right, &rows, &columns, slots, gates, at.begin, at.end, tile, form.left, form.right);
        let row = at.first_row + UNIT_POS as usize / tile.side;
        let column = at.first_column + UNIT_POS as usize % tile.side;
        let half = comptime!(tile.columns / inputs);
        #[unroll]
        for i in 0..tile.rows {
            #[unroll]
            for j in 0..half {
                let first = sums[i * tile.columns + j];
                let second = sums[i * tile.columns + j + comptime!(half * (inputs - 1))];
                finish(
                    first,
                    second,
                    row + i * tile.side,
                    column + j * tile.side,
                    out,
                    activated,
                    bias,
                    &at,
                    sizes,
                    form,
                );
            }
        }
    }
}
