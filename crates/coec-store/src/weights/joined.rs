//! One tensor of several.

use coec_hf::View;

use super::reading::Take;
use super::view::{Places, scatter};
use super::{Reading, WeightsError};

/// A tensor in another one: what it is read from, and where it stands.
#[derive(Debug, Clone)]
pub struct Placed<'a> {
    /// What is read, all of it.
    pub reading: Reading<'a>,
    /// Where its numbers go.
    pub view: View,
}

/// Hands over the tensor of which these are the parts. Parts that stand one behind the other are copied a
/// piece at a time; those that lie among each other are in memory together.
pub(super) fn join(parts: &[Placed<'_>], take: &mut Take<'_>) -> Result<(), WeightsError> {
    let mut order: Vec<&Placed<'_>> = parts.iter().filter(|part| part.view.elements() > 0).collect();
    order.sort_by_key(|part| part.view.offset);
    let end = |part: &Placed<'_>| part.view.offset + part.view.span();
    let mut rest = order.as_slice();
    while let Some(first) = rest.first() {
        let (mut count, mut last) = (1, end(first));
        while let Some(next) = rest.get(count).filter(|next| next.view.offset < last) {
            (count, last) = (count + 1, last.max(end(next)));
        }
        let (together, others) = rest.split_at(count);
        rest = others;
        match together {
            [part] if part.view.is_dense() => part.reading.read(0..part.view.elements(), take)?,
            _ => take(&mixed(together, first.view.offset, last - first.view.offset)?)?,
        }
    }
    Ok(())
}

/// So many elements from one on, of parts that lie among each other.
fn mixed(parts: &[&Placed<'_>], from: usize, elements: usize) -> Result<Vec<u8>, WeightsError> {
    let size = parts.first().map_or(1, |part| part.reading.size());
    let mut span = vec![0; elements * size];
    for Placed { reading, view } in parts {
        let view = view.simplified();
        let mut places = Places::new(view.offset - from, &view.axes);
        reading.read(0..view.elements(), &mut |piece| {
            scatter(size, piece, places.by_ref().take(piece.len() / size), &mut span);
            Ok(())
        })?;
    }
    Ok(span)
}
