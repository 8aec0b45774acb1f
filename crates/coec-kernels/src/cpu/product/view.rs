//! Matrices inside slices.

use std::marker::PhantomData;

use super::kernel::Lines;

/// A matrix inside a slice, by its strides; of a larger one, it may have some of the rows in any order.
#[derive(Clone, Copy)]
pub(crate) struct View<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
    /// Which row of the slice each row is, where they do not follow each other.
    row_order: Option<&'a [u32]>,
    col_order: Option<&'a [u32]>,
}

impl<'a, T: Copy> View<'a, T> {
    /// A row-major matrix that fills `data`.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "a {rows} x {cols} matrix needs exactly its elements");
        Self::strided(data, rows, cols, cols)
    }

    /// Rows of a matrix of `cols` columns that fills `data`, by their numbers.
    pub fn picked(data: &'a [T], order: &'a [u32], cols: usize) -> Self {
        let rows = data.len().checked_div(cols).unwrap_or(usize::MAX);
        assert!(order.iter().all(|&row| (row as usize) < rows), "rows beyond the slice");
        let row_order = Some(order);
        Self { data, rows: order.len(), cols, row_stride: cols, col_stride: 1, row_order, col_order: None }
    }

    /// Rows of `cols` elements, `stride` apart, the first at the beginning of `data`.
    pub fn strided(data: &'a [T], rows: usize, cols: usize, stride: usize) -> Self {
        assert!(rows <= 1 || cols <= stride, "rows that overlap");
        assert!(rows == 0 || (rows - 1) * stride + cols <= data.len(), "rows beyond the slice");
        Self { data, rows, cols, row_stride: stride, col_stride: 1, row_order: None, col_order: None }
    }

    /// The same matrix, rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            row_order: self.col_order,
            col_order: self.row_order,
            ..self
        }
    }

    /// The columns `start..start + count`.
    pub fn columns(self, start: usize, count: usize) -> Self {
        assert!(start + count <= self.cols, "columns beyond the matrix");
        match self.col_order {
            Some(order) => Self { col_order: Some(&order[start..start + count]), cols: count, ..self },
            None => Self { data: self.from(start * self.col_stride), cols: count, ..self },
        }
    }

    /// Whether its rows, or columns, follow each other at one distance.
    pub(super) fn is_in_order(&self) -> [bool; 2] {
        [self.row_order.is_none(), self.col_order.is_none()]
    }

    /// The elements from `at` on; none where there are none.
    fn from(self, at: usize) -> &'a [T] {
        self.data.get(at..).unwrap_or_default()
    }

    /// The rows of a range.
    pub fn row_range(self, rows: std::ops::Range<usize>) -> Self {
        self.transposed().columns(rows.start, rows.len()).transposed()
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn cols(&self) -> usize {
        self.cols
    }

    pub(super) fn row_stride(&self) -> usize {
        self.row_stride
    }

    pub(super) fn col_stride(&self) -> usize {
        self.col_stride
    }

    pub(super) fn first(&self) -> *const T {
        self.data.as_ptr()
    }

    /// An element.
    pub(super) fn get(self, row: usize, col: usize) -> T {
        assert!(row < self.rows && col < self.cols);
        let number = |order: Option<&[u32]>, at: usize| order.map_or(at, |order| order[at] as usize);
        let (row, col) = (number(self.row_order, row), number(self.col_order, col));
        self.data[row * self.row_stride + col * self.col_stride]
    }

    /// The same elements in `to`, line by line as they lie here, after `change` was made to them.
    pub(super) fn copied<'b>(self, to: &'b mut [T], change: impl FnOnce(&mut [T])) -> View<'b, T> {
        if self.col_stride != 1 {
            return self.transposed().copied_rows(to, change).transposed();
        }
        self.copied_rows(to, change)
    }

    fn copied_rows<'b>(self, to: &'b mut [T], change: impl FnOnce(&mut [T])) -> View<'b, T> {
        let (rows, cols) = (self.rows, self.cols);
        let to = &mut to[..rows * cols];
        for (row, to) in to.chunks_exact_mut(cols.max(1)).enumerate() {
            to.copy_from_slice(&self.data[row * self.row_stride..][..cols]);
        }
        change(to);
        View::new(to, rows, cols)
    }

    /// Its rows, to be copied somewhere.
    pub(super) fn lines(&self) -> Lines<T> {
        let to = std::ptr::null_mut();
        let (lines, length) = (self.rows, self.cols);
        let order = self.row_order.map_or(std::ptr::null(), <[u32]>::as_ptr);
        Lines { from: self.first(), from_stride: self.row_stride, order, to, to_stride: 0, lines, length }
    }
}

/// A row-major matrix to write to, whose rows may be apart.
pub(crate) struct Rows<'a, T> {
    first: *mut T,
    rows: usize,
    cols: usize,
    stride: usize,
    data: PhantomData<&'a mut [T]>,
}

// SAFETY: it is an exclusive borrow of its elements.
unsafe impl<T: Send> Send for Rows<'_, T> {}

impl<'a, T: Copy> Rows<'a, T> {
    /// A matrix that fills `data`.
    pub fn new(data: &'a mut [T], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "a {rows} x {cols} matrix needs exactly its elements");
        Self { first: data.as_mut_ptr(), rows, cols, stride: cols, data: PhantomData }
    }

    /// Parts of at most `size` rows and columns, to be written by different threads.
    pub fn parts(self, size: [usize; 2]) -> Vec<Part<'a, T>> {
        let [most_rows, most_cols] = size.map(|most| most.max(1));
        let mut parts = Vec::new();
        for row in (0..self.rows).step_by(most_rows) {
            for col in (0..self.cols).step_by(most_cols) {
                let (rows, cols) = (most_rows.min(self.rows - row), most_cols.min(self.cols - col));
                // SAFETY: inside the matrix; the parts of a matrix share no element, and it is gone.
                let first = unsafe { self.first.add(row * self.stride + col) };
                let to = Rows { first, rows, cols, stride: self.stride, data: PhantomData };
                parts.push(Part { row, col, to });
            }
        }
        parts
    }

    /// The rows of a range.
    pub fn row_range(&mut self, rows: std::ops::Range<usize>) -> Rows<'_, T> {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows beyond the matrix");
        let first = match rows.is_empty() {
            true => self.first,
            // SAFETY: the first of them is inside the matrix.
            false => unsafe { self.first.add(rows.start * self.stride) },
        };
        Rows { first, rows: rows.len(), cols: self.cols, stride: self.stride, data: PhantomData }
    }

    /// Sets every element.
    pub fn fill(&mut self, value: T) {
        for row in 0..self.rows {
            for col in 0..self.cols {
                // SAFETY: inside the matrix, which is exclusively borrowed.
                unsafe { *self.first.add(row * self.stride + col) = value };
            }
        }
    }

    /// Rows and columns.
    pub fn size(&self) -> [usize; 2] {
        [self.rows, self.cols]
    }

    pub(super) fn first(&mut self) -> *mut T {
        self.first
    }

    pub(super) fn stride(&self) -> usize {
        self.stride
    }
}

/// Part of a matrix, and where it begins.
pub(crate) struct Part<'a, T> {
    pub row: usize,
    pub col: usize,
    pub to: Rows<'a, T>,
}
