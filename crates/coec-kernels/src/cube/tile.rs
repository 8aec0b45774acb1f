//! What a product is cut into.

/// The sizes of a tile. A cube has `side * side` units; each sums up `rows * columns` elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tile {
    /// Units along each side.
    pub side: usize,
    /// Rows of a unit.
    pub rows: usize,
    /// Columns of a unit.
    pub columns: usize,
    /// What goes through shared memory at once of the dimension that is summed over.
    pub depth: usize,
}

impl Tile {
    /// For products that fill a device with tiles of it.
    pub const LARGE: Self = Self { side: 16, rows: 8, columns: 8, depth: 8 };
    /// For smaller ones.
    pub const SMALL: Self = Self { side: 16, rows: 4, columns: 4, depth: 16 };
    /// For a few rows.
    const FLAT: Self = Self { side: 16, rows: 1, columns: 4, depth: 16 };
    /// For a few columns.
    const NARROW: Self = Self { side: 16, rows: 4, columns: 1, depth: 16 };

    /// For a result of this size.
    pub fn of(rows: usize, columns: usize) -> Self {
        let is_large = rows >= 4 * Self::LARGE.height() && columns >= 4 * Self::LARGE.width();
        match (is_large, rows <= Self::FLAT.height(), columns <= Self::NARROW.width()) {
            (true, ..) => Self::LARGE,
            (_, true, _) => Self::FLAT,
            (_, _, true) => Self::NARROW,
            _ => Self::SMALL,
        }
    }

    /// For rows that go to so many experts.
    pub fn of_route(rows: usize, experts: usize) -> Self {
        match rows / experts.max(1) {
            each if each >= 2 * Self::LARGE.height() => Self::LARGE,
            each if each > Self::FLAT.height() => Self::SMALL,
            _ => Self::FLAT,
        }
    }

    /// Rows of a tile.
    pub const fn height(self) -> usize {
        self.side * self.rows
    }

    /// Columns of a tile.
    pub const fn width(self) -> usize {
        self.side * self.columns
    }

    /// Units of a cube.
    pub const fn units(self) -> usize {
        self.side * self.side
    }
}
