//! How much of a head turns.

use coec_ir::{Bounds, Rope, bounds};
use serde_json::json;

use crate::read::Reader;
use crate::write::Writer;

/// What of a head turns, by its family's code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// The first dimensions.
    First {
        /// Width of the head.
        head_dim: usize,
        /// Which fraction of it, where no setting says so.
        fraction: f64,
        /// Whether `rotary_dim` may say how many instead.
        by_width: bool,
    },
}

const FRACTION: &str = "partial_rotary_factor";
const WIDTH: &str = "rotary_dim";

/// How many dimensions turn, if not all; `inside` is the object that describes the embedding.
pub(super) fn read(reader: &mut Reader<'_>, inside: Option<&mut Reader<'_>>, part: Part) -> Option<usize> {
    let Part::First { head_dim, fraction, by_width } = part else {
        reader.only_one(FRACTION, "the whole head is rotated here");
        if let Some(inside) = inside {
            inside.only_one(FRACTION, "the whole head is rotated here");
        }
        return None;
    };
    let bounds = Bounds { max: 1.0, ..bounds::POSITIVE };
    let outer = reader.real_or_null(FRACTION, bounds);
    let mut said = outer;
    if let Some(inside) = inside
        && let Some(inner) = inside.real_or_null(FRACTION, bounds)
    {
        if let Some(outer) = outer.filter(|&outer| outer != inner) {
            let why = format!("`{FRACTION}` outside is {outer:?}");
            inside.refuse(FRACTION, &json!(inner), why, "one value in both places");
        }
        said = Some(inner);
    }
    let width = by_width.then(|| reader.count_or_null(WIDTH, None, bounds::WIDTH)).flatten();
    let dim = match (said, width) {
        (None, Some(width)) => of(head_dim, width as f64 / head_dim as f64),
        (said, _) => of(head_dim, said.unwrap_or(fraction)),
    };
    if let Some(width) = width.filter(|&width| width != dim) {
        let why = format!("{dim} of {head_dim} dimensions turn by `{FRACTION}`");
        reader.refuse(WIDTH, &width.into(), why, format!("{dim}, or none"));
    }
    (dim != head_dim).then_some(dim)
}

/// As transformers computes it.
fn of(head_dim: usize, fraction: f64) -> usize {
    (head_dim as f64 * fraction) as usize
}

/// Writes how many dimensions of a head turn.
pub(crate) fn write(writer: &mut Writer, rope: &Rope, head_dim: usize, by_width: bool) {
    let dim = rope.width(head_dim);
    let exact = dim as f64 / head_dim as f64;
    // A quotient may come out just below the number it is made of.
    let fraction = if of(head_dim, exact) == dim { exact } else { (dim as f64 + 0.25) / head_dim as f64 };
    if by_width {
        writer.set(WIDTH, dim);
    }
    if !by_width || fraction != exact {
        writer.set(FRACTION, fraction);
    }
}
