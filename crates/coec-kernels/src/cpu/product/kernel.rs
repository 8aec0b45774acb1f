//! The tile of a product in registers, and a column of tiles.

use super::vector::Vector;

/// Most rows of a tile.
const MOST_ROWS: usize = 8;
/// Most elements of a row of a tile.
const MOST_WIDTH: usize = 32;

/// How products are made on a machine.
#[derive(Clone, Copy)]
pub(crate) struct Kernel<T> {
    /// Elements of its vector, and of a narrower one. Strips of the right factor are two wide vectors, one,
    /// or a narrow one wide.
    pub lanes: [usize; 2],
    /// See [`column()`].
    pub column: unsafe fn(Column<T>),
    /// See [`copied`].
    pub copy: unsafe fn(Lines<T>),
    /// Writes lines as columns. See [`turned`].
    pub turn: unsafe fn(Lines<T>),
}

/// Lines to copy.
#[derive(Clone, Copy)]
pub(crate) struct Lines<T> {
    pub from: *const T,
    /// Elements from one line to the next.
    pub from_stride: usize,
    /// Which line is the first, the second and so on; null where they are in order.
    pub order: *const u32,
    pub to: *mut T,
    pub to_stride: usize,
    /// How many there are, and how long.
    pub lines: usize,
    pub length: usize,
}

impl<T> Lines<T> {
    /// Where a line begins.
    ///
    /// # Safety
    ///
    /// There is such a line.
    #[inline(always)]
    unsafe fn line(&self, number: usize) -> *const T {
        // SAFETY: the caller's promise.
        unsafe {
            let number = if self.order.is_null() { number } else { *self.order.add(number) as usize };
            self.from.add(number * self.from_stride)
        }
    }
}

/// A strip of the right factor, and what it is multiplied with: `out (+)= left * strip`.
#[derive(Clone, Copy)]
pub(crate) struct Column<T> {
    /// The left factor's first element; the element of row i and column p is `i * row + p * col` behind it.
    pub left: *const T,
    pub left_row: usize,
    pub left_col: usize,
    /// The strip, `[depth, width]` without gaps.
    pub strip: *const T,
    pub width: usize,
    /// Where the strip's product goes: rows are `out_row` apart, and `valid` elements of each are written.
    pub out: *mut T,
    pub out_row: usize,
    pub valid: usize,
    /// Rows of the product.
    pub rows: usize,
    /// Columns of the left factor.
    pub depth: usize,
    /// Whether the product is added to what is there.
    pub adds: bool,
}

/// A kernel by the features it is compiled for, the rows of its tiles and its two vectors.
macro_rules! kernel {
    ($kernel:ident, $module:ident, $features:literal, $element:ty, $rows:literal, [$wide:ty, $narrow:ty],
     $square:literal, $turn:path) => {
        mod $module {
            #[allow(clippy::wildcard_imports)]
            use super::*;
            use $crate::cpu::product::kernel::{self, Column, Lines};

            #[target_feature(enable = $features)]
            pub(super) unsafe fn column(column: Column<$element>) {
                // SAFETY: the caller's promise; the function is compiled for these instructions.
                unsafe { kernel::column::<$wide, $narrow, $rows>(column) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn copy(lines: Lines<$element>) {
                // SAFETY: as above.
                unsafe { kernel::copied::<$wide, $narrow>(lines) }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn turn(lines: Lines<$element>) {
                // SAFETY: as above.
                unsafe {
                    kernel::turned::<$element, $square>(lines, |rows, to, stride| $turn(rows, to, stride))
                }
            }
        }

        pub(super) const $kernel: $crate::cpu::product::kernel::Kernel<$element> =
            $crate::cpu::product::kernel::Kernel {
                lanes: [
                    <$wide as $crate::cpu::product::vector::Vector>::LANES,
                    <$narrow as $crate::cpu::product::vector::Vector>::LANES,
                ],
                column: $module::column,
                copy: $module::copy,
                turn: $module::turn,
            };
    };
}
pub(super) use kernel;

/// Multiplies all rows with a strip, `ROWS` of them at a time.
///
/// # Safety
///
/// Its pointers lead to the elements it describes, `out` to nobody else's; `width` is one of the kernel's
/// three; the machine has the vectors' instructions.
#[inline(always)]
pub(super) unsafe fn column<W: Vector, N: Vector<Element = W::Element>, const ROWS: usize>(
    column: Column<W::Element>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if column.width == 2 * W::LANES {
            tiles::<W, ROWS, 2>(column);
        } else if column.width == W::LANES {
            tiles::<W, ROWS, 1>(column);
        } else {
            tiles::<N, ROWS, 1>(column);
        }
    }
}

/// Copies lines that are as long as strips are wide.
///
/// # Safety
///
/// As for [`column()`].
#[inline(always)]
pub(super) unsafe fn copied<W: Vector, N: Vector<Element = W::Element>>(lines: Lines<W::Element>) {
    let Lines { to, to_stride, length, .. } = lines;
    // SAFETY: the caller's promise.
    unsafe {
        for line in 0..lines.lines {
            let (from, to) = (lines.line(line), to.add(line * to_stride));
            if length == 2 * W::LANES {
                W::load(from).store(to);
                W::load(from.add(W::LANES)).store(to.add(W::LANES));
            } else if length == W::LANES {
                W::load(from).store(to);
            } else {
                N::load(from).store(to);
            }
        }
    }
}

/// Writes lines as columns: squares by `turn`, which takes where the rows of one begin, where it goes and how far
/// apart its rows are there; at the edges element by element.
///
/// # Safety
///
/// As for [`column()`]; `turn` may be called for such a square.
#[inline(always)]
pub(super) unsafe fn turned<T: Copy, const SQUARE: usize>(
    lines: Lines<T>,
    turn: impl Fn([*const T; SQUARE], *mut T, usize),
) {
    let Lines { to, to_stride, length, .. } = lines;
    for first in (0..lines.lines).step_by(SQUARE) {
        let count = SQUARE.min(lines.lines - first);
        let mut at = 0;
        // SAFETY: lines and columns that there are, a square of them where there is one.
        unsafe {
            if count == SQUARE {
                let starts = std::array::from_fn(|i| lines.line(first + i));
                while at + SQUARE <= length {
                    turn(starts.map(|start| start.add(at)), to.add(at * to_stride + first), to_stride);
                    at += SQUARE;
                }
            }
            for line in first..first + count {
                let from = lines.line(line);
                for at in at..length {
                    *to.add(at * to_stride + line) = *from.add(at);
                }
            }
        }
    }
}

/// A square's rows as columns, element by element.
///
/// # Safety
///
/// Rows of `SQUARE` elements, here and there.
#[inline(always)]
pub(super) unsafe fn each_turned<T: Copy, const SQUARE: usize>(
    rows: [*const T; SQUARE],
    to: *mut T,
    stride: usize,
) {
    for (line, row) in rows.into_iter().enumerate() {
        for at in 0..SQUARE {
            // SAFETY: the caller's promise.
            unsafe { *to.add(at * stride + line) = *row.add(at) };
        }
    }
}

#[inline(always)]
unsafe fn tiles<V: Vector, const ROWS: usize, const VECTORS: usize>(column: Column<V::Element>) {
    let Column { left, left_row, left_col, strip, out, out_row, valid, rows, depth, adds, .. } = column;
    let width = VECTORS * V::LANES;
    let mut row = 0;
    while row < rows {
        let count = ROWS.min(rows - row);
        // SAFETY: rows beyond the last are read as the last, and not written; the rest is the caller's promise.
        unsafe {
            let mut starts = [left; ROWS];
            for (i, start) in starts.iter_mut().enumerate() {
                *start = left.add((row + i.min(count - 1)) * left_row);
            }
            let sums = tile::<V, ROWS, VECTORS>(starts, left_col, strip, depth);
            let to = out.add(row * out_row);
            if count == ROWS && valid == width {
                for (i, sums) in sums.into_iter().enumerate() {
                    for (j, sum) in sums.into_iter().enumerate() {
                        let to = to.add(i * out_row + j * V::LANES);
                        let sum = if adds { V::load(to).add(sum) } else { sum };
                        sum.store(to);
                    }
                }
            } else {
                write_part::<V, ROWS, VECTORS>(sums, to, [count, valid, out_row], adds);
            }
        }
        row += ROWS;
    }
}

/// `ROWS` rows of the left factor, which begin at `starts`, times a strip.
#[inline(always)]
unsafe fn tile<V: Vector, const ROWS: usize, const VECTORS: usize>(
    starts: [*const V::Element; ROWS],
    step: usize,
    strip: *const V::Element,
    depth: usize,
) -> [[V; VECTORS]; ROWS] {
    // SAFETY: the caller's promise: `depth` elements a row, `step` apart, and as many rows of the strip.
    unsafe {
        let mut sums = [[V::zero(); VECTORS]; ROWS];
        let mut strip = strip;
        let mut at = 0;
        for _ in 0..depth {
            let mut right = [V::zero(); VECTORS];
            for (j, right) in right.iter_mut().enumerate() {
                *right = V::load(strip.add(j * V::LANES));
            }
            for i in 0..ROWS {
                let left = V::splat(starts[i].add(at));
                for j in 0..VECTORS {
                    sums[i][j] = sums[i][j].mul_add(left, right[j]);
                }
            }
            strip = strip.add(VECTORS * V::LANES);
            at += step;
        }
        sums
    }
}

/// Writes the first `rows` rows and `valid` columns of a tile.
#[inline(always)]
unsafe fn write_part<V: Vector, const ROWS: usize, const VECTORS: usize>(
    sums: [[V; VECTORS]; ROWS],
    to: *mut V::Element,
    [rows, valid, out_row]: [usize; 3],
    adds: bool,
) {
    const { assert!(ROWS <= MOST_ROWS && VECTORS * V::LANES <= MOST_WIDTH) };
    // SAFETY: the caller's promise for the part that is written; a tile fits the buffer, as asserted.
    unsafe {
        let mut buffer = std::mem::MaybeUninit::<[[V::Element; MOST_WIDTH]; MOST_ROWS]>::uninit();
        let from = buffer.as_mut_ptr().cast::<V::Element>();
        for (i, sums) in sums.into_iter().enumerate() {
            for (j, sum) in sums.into_iter().enumerate() {
                let at = from.add(i * MOST_WIDTH + j * V::LANES);
                sum.store(at);
            }
        }
        for i in 0..rows {
            for j in 0..valid {
                let (sum, to) = (*from.add(i * MOST_WIDTH + j), to.add(i * out_row + j));
                *to = if adds { *to + sum } else { sum };
            }
        }
    }
}
