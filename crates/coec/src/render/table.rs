//! Aligned columns.

use unicode_width::UnicodeWidthStr;

/// A table: the first column left-aligned, the others right-aligned.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(header: Vec<String>) -> Self {
        Self { rows: vec![header] }
    }

    pub fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// The lines, a rule under the header.
    pub fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |c: usize| {
            self.rows.iter().filter_map(|row| row.get(c)).map(|cell| cell.width()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut lines: Vec<String> = self
            .rows
            .iter()
            .map(|row| {
                let cells = row.iter().enumerate().map(|(c, cell)| {
                    let pad = " ".repeat(widths[c] - cell.width());
                    if c == 0 { format!("{cell}{pad}") } else { format!("{pad}{cell}") }
                });
                cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
            })
            .collect();
        let total = widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1);
        lines.insert(1, "-".repeat(total));
        lines
    }
}
