//! Parts of a tensor in its own order, and a tensor of its parts.

use coec_hf::{Axis, View};

/// Where the elements of a view stand, in its order.
pub(super) struct Places<'a> {
    axes: &'a [Axis],
    /// How many steps were made along each axis.
    steps: Vec<usize>,
    next: usize,
    left: usize,
}

impl<'a> Places<'a> {
    /// Those along `axes`, from `offset` on.
    pub fn new(offset: usize, axes: &'a [Axis]) -> Self {
        let left = axes.iter().map(|axis| axis.count).product();
        Self { axes, steps: vec![0; axes.len()], next: offset, left }
    }
}

impl Iterator for Places<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let place = self.next;
        for (axis, step) in self.axes.iter().zip(&mut self.steps).rev() {
            *step += 1;
            self.next += axis.stride;
            if *step < axis.count {
                break;
            }
            self.next -= axis.count * axis.stride;
            *step = 0;
        }
        Some(place)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

/// The axes of a view whose elements are in memory together, and those before them, along which one such
/// block comes after another.
///
/// Blocks are as large as `most` elements allow. They are larger where the elements of several would lie
/// among each other, as rows of a transpose do: each would else be read for every row.
pub(super) fn blockwise(axes: &[Axis], most: usize) -> (&[Axis], &[Axis]) {
    let span = |axes: &[Axis]| View { offset: 0, axes: axes.to_vec() }.span();
    let is_dense = |axes: &[Axis]| View { offset: 0, axes: axes.to_vec() }.is_dense();
    let mut at = 0;
    while at < axes.len()
        && !is_dense(&axes[at..])
        && span(&axes[at..]) > most
        && axes[at].stride >= span(&axes[at + 1..])
    {
        at += 1;
    }
    axes.split_at(at)
}

/// Appends the elements of `span` at `places`.
pub(super) fn gather(size: usize, span: &[u8], places: impl Iterator<Item = usize>, into: &mut Vec<u8>) {
    fn each<const N: usize>(span: &[u8], places: impl Iterator<Item = usize>, into: &mut Vec<u8>) {
        let elements = span.as_chunks::<N>().0;
        places.for_each(|place| into.extend_from_slice(&elements[place]));
    }
    match size {
        1 => each::<1>(span, places, into),
        2 => each::<2>(span, places, into),
        4 => each::<4>(span, places, into),
        _ => each::<8>(span, places, into),
    }
}

/// Puts elements at `places` of `span`.
pub(super) fn scatter(size: usize, elements: &[u8], places: impl Iterator<Item = usize>, span: &mut [u8]) {
    fn each<const N: usize>(elements: &[u8], places: impl Iterator<Item = usize>, span: &mut [u8]) {
        let span = span.as_chunks_mut::<N>().0;
        for (element, place) in elements.as_chunks::<N>().0.iter().zip(places) {
            span[place] = *element;
        }
    }
    match size {
        1 => each::<1>(elements, places, span),
        2 => each::<2>(elements, places, span),
        4 => each::<4>(elements, places, span),
        _ => each::<8>(elements, places, span),
    }
}
