//! What a product is compiled for, where a cube works, and where its results go.

use cubecl::prelude::*;

use super::lines::Reading;
use crate::{
    Activation,
    cube::{activation::activated as activated_of, tile::Tile},
};

/// Which rows go with which factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Grouping {
    /// One right factor for all rows; or one for each of many left ones.
    Together,
    /// Blocks of rows, each with the right factor of its expert.
    Rows,
    /// Rows are summed over: a result for each expert, of its own rows.
    Inner,
}

/// What a product is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    pub grouping: Grouping,
    /// Whether a bias is added to the product.
    pub is_biased: bool,
    /// Whether the product is added to what is there.
    pub adds: bool,
    pub tile: Tile,
    /// Whether matrix units multiply, in bf16.
    pub by_matrix_units: bool,
    /// What is made of the product: without it, the product is all.
    pub act: Option<Activation>,
    pub left: Reading,
    pub right: Reading,
}

/// Sizes and strides.
#[derive(CubeLaunch, CubeType, Clone, Copy)]
pub(crate) struct Sizes {
    /// Rows of the result, of one expert where each has one.
    pub rows: usize,
    /// Its columns.
    pub columns: usize,
    /// What is summed over.
    pub depth: usize,
    /// Where the left factor begins.
    pub left_base: usize,
    /// From one row of it to the next.
    pub left_row: usize,
    /// From one place in a row of it to the next.
    pub left_place: usize,
    /// Where the right factor begins.
    pub right_base: usize,
    /// From one column of it to the next.
    pub right_column: usize,
    /// From one place in a column of it to the next.
    pub right_place: usize,
    /// Slots of a token.
    pub selected: usize,
    /// Factors that stand side by side, in one of many rows of memory: heads in a sequence.
    pub beside: usize,
    /// How many left factors share a right one.
    pub sharing: usize,
    /// From one left factor to the one beside it, and to the next row of them.
    pub left_beside: usize,
    pub left_next: usize,
    /// The same of right factors.
    pub right_beside: usize,
    pub right_next: usize,
    /// Where the result begins.
    pub out_base: usize,
    /// From one result to the one beside it, and to the next row of them.
    pub out_beside: usize,
    pub out_next: usize,
    /// From one row of the result to the next.
    pub out_row: usize,
}

impl Form {
    /// Columns of the product that go into one that is activated.
    pub fn inputs(self) -> usize {
        self.act.map_or(1, Activation::inputs)
    }
}

/// Where a cube works: its rows, what it sums over, and where its factors, its result and its bias begin.
#[derive(CubeType, Clone, Copy)]
pub(super) struct Place {
    pub first_row: usize,
    pub end_row: usize,
    pub first_column: usize,
    pub begin: usize,
    pub end: usize,
    pub left: usize,
    pub right: usize,
    pub out: usize,
    pub bias: usize,
}

#[cube]
pub(super) fn place(table: &[u32], sizes: &Sizes, #[comptime] form: Form) -> Place {
    let height = comptime!(form.tile.height());
    let width = comptime!(form.tile.width() / form.inputs());
    let mut at = Place {
        first_row: CUBE_POS_Y as usize * height,
        end_row: sizes.rows,
        first_column: CUBE_POS_X as usize * width,
        begin: 0usize.runtime(),
        end: sizes.depth,
        left: sizes.left_base,
        right: sizes.right_base,
        out: sizes.out_base,
        bias: 0usize.runtime(),
    };
    if comptime!(form.grouping == Grouping::Rows) {
        // A block of the table: expert, first row, the row that is none any more.
        let block = CUBE_POS_Y as usize * 3;
        at.right += table[block] as usize * sizes.right_next;
        at.bias = table[block] as usize * sizes.columns;
        at.first_row = table[block + 1] as usize;
        at.end_row = table[block + 2] as usize;
    }
    if comptime!(form.grouping == Grouping::Inner) {
        let expert = CUBE_POS_Z as usize;
        at.begin = table[expert] as usize;
        at.end = table[expert + 1] as usize;
        at.out += expert * sizes.out_next;
    }
    if comptime!(form.grouping == Grouping::Together) {
        let next = CUBE_POS_Z as usize / sizes.beside;
        let beside = CUBE_POS_Z as usize % sizes.beside;
        at.left += next * sizes.left_next + beside * sizes.left_beside;
        at.right += next * sizes.right_next + beside / sizes.sharing * sizes.right_beside;
        at.out += next * sizes.out_next + beside * sizes.out_beside;
    }
    at
}

/// Puts an element of the product, with its bias, where it belongs, or the two that are activated together.
#[cube]
#[allow(clippy::too_many_arguments)]
pub(super) fn finish(
    first: f32,
    second: f32,
    row: usize,
    column: usize,
    out: &mut [f32],
    activated: &mut [f32],
    bias: &[f32],
    at: &Place,
    sizes: &Sizes,
    #[comptime] form: Form,
) {
    let inputs = comptime!(form.inputs());
    let width = sizes.columns / inputs;
    if row < at.end_row && column < width {
        let to = at.out + row * sizes.out_row + column;
        let mut first = first;
        let mut second = second;
        if comptime!(form.is_biased) {
            first += bias[at.bias + column];
            if comptime!(inputs == 2) {
                second += bias[at.bias + width + column];
            }
        }
        if comptime!(form.adds) {
            out[to] += first;
        } else {
            out[to] = first;
        }
        if comptime!(form.act.is_some()) {
            if comptime!(inputs == 2) {
                out[to + width] = second;
            }
            activated[row * width + column] = activated_of(first, second, comptime!(form.act.unwrap()));
        }
    }
}
