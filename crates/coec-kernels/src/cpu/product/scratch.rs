//! Memory for a while, aligned to the lines of a cache.

use std::marker::PhantomData;

use crate::cpu::Real;

/// A line of a cache: a vector that begins with one is in one.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

// SAFETY: an array of bytes, without padding, of which every value is one.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Line {}

/// `len` elements that are written before they are read: an output, which it would take time to zero first.
#[allow(clippy::uninit_vec)]
pub(crate) fn unwritten<T: Real>(len: usize) -> Vec<T> {
    let mut values = Vec::with_capacity(len);
    // SAFETY: there is room for `len`; elements are plain numbers, of which every pattern of bits is one, and
    // nothing reads one before it is written.
    unsafe { values.set_len(len) };
    values
}

/// Memory that a task writes and reads again.
pub(crate) struct Scratch<T> {
    lines: Vec<Line>,
    len: usize,
    element: PhantomData<T>,
}

impl<T> Default for Scratch<T> {
    fn default() -> Self {
        Self { lines: Vec::new(), len: 0, element: PhantomData }
    }
}

impl<T: Real> Scratch<T> {
    /// `len` elements that hold something, whatever it is.
    #[allow(clippy::uninit_vec)]
    pub fn new(len: usize) -> Self {
        let count = (len * size_of::<T>()).div_ceil(64);
        let mut lines = Vec::with_capacity(count);
        // SAFETY: as in [`unwritten`].
        unsafe { lines.set_len(count) };
        Self { lines, len, element: PhantomData }
    }

    /// All of them.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}
