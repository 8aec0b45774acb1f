//! Products of matrices: one, one for each of many, or one for each expert, in a single launch.

mod form;
mod kernel;
mod lines;
mod matrix_units;

use burn_cubecl::tensor::CubeTensor;
use cubecl::{
    client::Client,
    features::MmaConfig,
    ir::{ElemType, FloatKind},
    prelude::*,
};

use super::{
    launch::{buffer, empty},
    route::Route,
    tile::Tile,
};
use crate::{Activation, Precision};
use form::{Form, Grouping, SizesLaunch};
use kernel::multiply;
use lines::{Gathered, Reading};
pub use matrix_units::without_matrix_units;

/// A factor: a matrix, where it stands in a buffer. Its lines are rows of a left factor and columns of a
/// right one; what is summed over are the places in a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operand<'a> {
    /// The buffer, contiguous.
    pub tensor: &'a CubeTensor,
    /// Where it begins.
    pub base: usize,
    /// From one line to the next.
    pub line: usize,
    /// From one place in a line to the next.
    pub place: usize,
    /// From one factor to the one beside it, where there are many.
    pub beside: usize,
    /// From one row of factors to the next, or from one expert's to the next.
    pub next: usize,
    /// Whether its sorted rows are the tokens', each wherever a slot of it was sorted to.
    pub is_gathered: bool,
    /// Whether a gathered row is multiplied with the gate of its slot, if that can be undone.
    pub is_weighed: bool,
}

impl<'a> Operand<'a> {
    /// A matrix whose lines are contiguous.
    pub fn lines(tensor: &'a CubeTensor, length: usize) -> Self {
        Self { line: length, place: 1, ..Self::transposed(tensor, 0) }
    }

    /// A matrix of `lines` lines whose neighbours in memory are of neighbouring lines.
    pub fn transposed(tensor: &'a CubeTensor, lines: usize) -> Self {
        Self {
            tensor,
            base: 0,
            line: 1,
            place: lines,
            beside: 0,
            next: 0,
            is_gathered: false,
            is_weighed: false,
        }
    }

    /// From this element of the buffer on.
    pub fn from(self, base: usize) -> Self {
        Self { base, ..self }
    }

    /// With so many elements from one line to the next.
    pub fn stride(self, line: usize) -> Self {
        Self { line, ..self }
    }

    /// One for each head of a sequence `[tokens, heads, width]`, `next` elements from one sequence to the next.
    pub fn heads(self, beside: usize, next: usize) -> Self {
        Self { beside, next, ..self }
    }

    /// With a matrix for each expert, so far from one to the next.
    pub fn each(self, next: usize) -> Self {
        Self { next, ..self }
    }

    /// With the tokens' rows in place of sorted ones.
    pub fn gathered(self) -> Self {
        Self { is_gathered: true, ..self }
    }

    /// With the tokens' rows in place of sorted ones, weighed in bf16 by gates that can be undone: what is rounded
    /// is what flows back through the gates.
    pub fn weighed(self, precision: Precision) -> Self {
        Self { is_gathered: true, is_weighed: precision == Precision::Bf16, ..self }
    }
}

/// Which rows go with which factor.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Groups<'a> {
    /// One product.
    One,
    /// Products side by side, `beside` in each of `next` rows of them, where `sharing` left factors share a
    /// right one.
    Many { next: usize, beside: usize, sharing: usize },
    /// Sorted rows, of which each block is multiplied with its expert's factor.
    Rows(&'a Route),
    /// Sorted rows, summed over for each expert.
    Inner(&'a Route),
}

/// The result of a product, and its sizes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product {
    /// Rows of the result: of one, where there are many.
    pub rows: usize,
    /// Its columns.
    pub columns: usize,
    /// What is summed over. Of sorted rows, all of them together.
    pub depth: usize,
    /// What becomes of the factors.
    pub precision: Precision,
    /// Whether the result is added to what is there.
    pub adds: bool,
    /// Where the result begins.
    pub out_base: usize,
    /// From one result to the one beside it, where there are many.
    pub out_beside: usize,
    /// From one row of results to the next, or from one expert's to the next.
    pub out_next: usize,
    /// From one row of a result to the next.
    pub out_row: usize,
}

impl Product {
    /// A product with one result, contiguous.
    pub fn new(rows: usize, columns: usize, depth: usize) -> Self {
        Self {
            rows,
            columns,
            depth,
            precision: Precision::F32,
            adds: false,
            out_base: 0,
            out_beside: 0,
            out_next: rows * columns,
            out_row: columns,
        }
    }

    /// Of factors in `precision`.
    pub fn of(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// From this element of the result's buffer on.
    pub fn to(self, out_base: usize) -> Self {
        Self { out_base, ..self }
    }

    /// Added to what is there.
    pub fn added(self) -> Self {
        Self { adds: true, ..self }
    }

    /// With a result for each head of each sequence: from one row to the next, from one head to the next, from one
    /// sequence to the next.
    pub fn heads(self, out_row: usize, out_beside: usize, out_next: usize) -> Self {
        Self { out_row, out_beside, out_next, ..self }
    }
}

/// `out = left right`, with sums in f32.
pub(crate) fn product(
    out: &CubeTensor,
    product: Product,
    left: Operand<'_>,
    right: Operand<'_>,
    groups: Groups<'_>,
    gates: Option<&CubeTensor>,
) {
    let beside = Beside { gates, bias: None };
    launch([out, &empty(out, [1], out.dtype)], product, None, [left, right], groups, beside);
}

/// The same, with a bias for each column, of each expert where there are many.
pub(crate) fn biased_product(
    out: &CubeTensor,
    product: Product,
    left: Operand<'_>,
    right: Operand<'_>,
    groups: Groups<'_>,
    bias: Option<&CubeTensor>,
) {
    let beside = Beside { gates: None, bias };
    launch([out, &empty(out, [1], out.dtype)], product, None, [left, right], groups, beside);
}

/// `hidden = left right`, with its bias where there is one, and `out = act(hidden)`. Columns of the product are
/// those of `hidden`.
pub(crate) fn activated_product(
    results: [&CubeTensor; 2],
    product: Product,
    act: Activation,
    left: Operand<'_>,
    right: Operand<'_>,
    groups: Groups<'_>,
    bias: Option<&CubeTensor>,
) {
    launch(results, product, Some(act), [left, right], groups, Beside { gates: None, bias });
}

/// What a product reads beside its factors.
#[derive(Debug, Clone, Copy)]
struct Beside<'a> {
    /// What gathered rows are weighed by.
    gates: Option<&'a CubeTensor>,
    /// What is added to each column.
    bias: Option<&'a CubeTensor>,
}

fn launch(
    [out, activated]: [&CubeTensor; 2],
    product: Product,
    act: Option<Activation>,
    [left, right]: [Operand<'_>; 2],
    groups: Groups<'_>,
    beside: Beside<'_>,
) {
    let form =
        Form { is_biased: beside.bias.is_some(), ..form(&out.client, product, act, left, right, groups) };
    let tile = form.tile;
    let tiles = product.rows.div_ceil(tile.height());
    // Tiles along the rows, separate products, and the tables that a launch reads: any buffer where it reads none.
    let unread = left.tensor;
    let (heights, deep, table, slots) = match groups {
        Groups::One => (tiles, 1, unread, unread),
        Groups::Many { next, beside, .. } => (tiles, next * beside, unread, unread),
        Groups::Rows(route) => (route.most_blocks(), 1, &route.blocks, &route.slots),
        Groups::Inner(route) => (tiles, route.experts, &route.offsets, &route.slots),
    };
    multiply::launch(
        &out.client,
        CubeCount::Static(product.columns.div_ceil(tile.width()) as u32, heights as u32, deep as u32),
        CubeDim::new_1d(tile.units() as u32),
        buffer(left.tensor),
        buffer(right.tensor),
        buffer(out),
        buffer(activated),
        buffer(table),
        buffer(slots),
        buffer(beside.gates.unwrap_or(unread)),
        buffer(beside.bias.unwrap_or(unread)),
        sizes(product, left, right, groups),
        form,
    );
}

fn form(
    client: &Client,
    product: Product,
    act: Option<Activation>,
    left: Operand<'_>,
    right: Operand<'_>,
    groups: Groups<'_>,
) -> Form {
    let is_paired = act.is_some_and(|act| act.inputs() == 2);
    // A unit of a tile of pairs has columns of both halves, so more than one.
    let columns = if is_paired { product.columns.max(Tile::SMALL.width()) } else { product.columns };
    let (grouping, tile) = match groups {
        Groups::Rows(route) => (Grouping::Rows, route.tile),
        Groups::One | Groups::Many { .. } => (Grouping::Together, Tile::of(product.rows, columns)),
        Groups::Inner(_) => (Grouping::Inner, Tile::of(product.rows, columns)),
    };
    // Their tile is as large as the largest of the others.
    let by_matrix_units =
        product.precision == Precision::Bf16 && tile == Tile::LARGE && has_matrix_units(client);
    let tile = if by_matrix_units { matrix_units::TILE } else { tile };
    let reading = |operand: Operand<'_>, pairs: bool| Reading {
        along_line: operand.place == 1,
        gathered: match (operand.is_gathered, grouping) {
            (false, _) => Gathered::No,
            (true, Grouping::Inner) => Gathered::Depth,
            (true, _) => Gathered::Line,
        },
        weighed: operand.is_weighed,
        pairs,
        rounded: product.precision == Precision::Bf16,
    };
    Form {
        grouping,
        is_biased: false,
        adds: product.adds,
        tile,
        by_matrix_units,
        act,
        left: reading(left, false),
        right: reading(right, is_paired),
    }
}

/// Whether products in bf16 are the matrix units': the device multiplies 16 by 16 pieces of bf16 in planes of 32 units.
fn has_matrix_units(client: &Client) -> bool {
    let properties = client.properties();
    let (bf16, f32) = (ElemType::Float(FloatKind::BF16), ElemType::Float(FloatKind::F32));
    let pieces = MmaConfig { a_type: bf16, b_type: bf16, cd_type: f32, m: 16, n: 16, k: 16 };
    let plane = matrix_units::PLANE as u32;
    let hardware = &properties.hardware;
    matrix_units::are_trusted()
        && [hardware.plane_size_min, hardware.plane_size_max] == [plane; 2]
        && properties.features.matmul.cmma.contains(&pieces)
}

fn sizes(product: Product, left: Operand<'_>, right: Operand<'_>, groups: Groups<'_>) -> SizesLaunch {
    let (beside, sharing) = match groups {
        Groups::Many { beside, sharing, .. } => (beside, sharing),
        _ => (1, 1),
    };
    let selected = match groups {
        Groups::Rows(route) | Groups::Inner(route) => route.selected,
        _ => 1,
    };
    SizesLaunch::new(
        product.rows,
        product.columns,
        product.depth,
        left.base,
        left.line,
        left.place,
        right.base,
        right.line,
        right.place,
        selected,
        beside,
        sharing,
        left.beside,
        left.next,
        right.beside,
        right.next,
        product.out_base,
        product.out_beside,
        product.out_next,
        product.out_row,
    )
}
