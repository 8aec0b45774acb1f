//! Curves in dots: a character of braille has two by four of them.

/// Bits of a character's dots, by row, the left and the right one.
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// Dots in so many characters.
pub struct Canvas {
    columns: usize,
    rows: usize,
    cells: Vec<u8>,
}

impl Canvas {
    pub fn new(columns: usize, rows: usize) -> Self {
        Self { columns, rows, cells: vec![0; columns * rows] }
    }

    /// Dots from left to right, and from top to bottom.
    pub fn size(&self) -> (usize, usize) {
        (2 * self.columns, 4 * self.rows)
    }

    /// A line from one dot to another, both counted from the left and from the top.
    pub fn line(&mut self, from: (usize, usize), to: (usize, usize)) {
        let (dx, dy) = (to.0 as f64 - from.0 as f64, to.1 as f64 - from.1 as f64);
        let steps = dx.abs().max(dy.abs()).max(1.0);
        for step in 0..=steps as usize {
            let share = step as f64 / steps;
            let at = |from: usize, way: f64| (from as f64 + way * share).round() as usize;
            self.dot(at(from.0, dx), at(from.1, dy));
        }
    }

    fn dot(&mut self, x: usize, y: usize) {
        let (column, row) = (x / 2, y / 4);
        if column < self.columns && row < self.rows {
            self.cells[row * self.columns + column] |= DOTS[y % 4][x % 2];
        }
    }

    /// The character at a place, if there are dots in it.
    pub fn char(&self, column: usize, row: usize) -> Option<char> {
        let dots = self.cells[row * self.columns + column];
        (dots > 0).then(|| char::from_u32(0x2800 + u32::from(dots)).unwrap_or('?'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_join_their_ends() {
        let mut canvas = Canvas::new(3, 2);
        assert_eq!(canvas.size(), (6, 8));
        canvas.line((0, 0), (5, 7));
        canvas.line((0, 7), (0, 7));
        let row = |row| (0..3).map(|column| canvas.char(column, row).unwrap_or(' ')).collect::<String>();
        assert_eq!((row(0), row(1)), ("⠱⡀ ".into(), "⡀⠈⢆".into()));
    }
}
