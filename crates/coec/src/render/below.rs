//! Rows that stand below everything that is printed, and are drawn over as they change.
//!
//! Nothing here writes: each function gives what is to be written. The cursor is left below the rows, so that
//! whatever ends the process leaves the terminal as any other command does.

/// A row as it is drawn, and the columns it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub text: String,
    pub columns: usize,
}

/// The rows that stand there.
#[derive(Debug, Default)]
pub struct Below {
    rows: Vec<Row>,
    /// Columns the terminal had when they were drawn.
    columns: usize,
}

/// Between these a terminal shows nothing half done, if it knows them; others pass them over.
const BEGIN: &str = "\u{1b}[?2026h";
const END: &str = "\u{1b}[?2026l";

/// Clears what is behind the cursor in its line, and in all below it.
const TO_LINE_END: &str = "\u{1b}[K";
const TO_END: &str = "\u{1b}[J";

impl Below {
    /// Draws `rows` in place of those that stand there, in a terminal that has so many columns now. Nothing, where
    /// they are the same.
    pub fn draw(&mut self, rows: Vec<Row>, columns: usize) -> String {
        let is_same_place = rows.len() == self.rows.len() && columns == self.columns;
        if is_same_place && rows == self.rows {
            return String::new();
        }
        let mut out = String::from(BEGIN);
        if is_same_place {
            out.push_str(&up(self.rows.len()));
            for (row, before) in rows.iter().zip(&self.rows) {
                if row != before {
                    out.push_str(&format!("{}{TO_LINE_END}", row.text));
                }
                out.push_str("\n\r");
            }
        } else {
            out.push_str(&self.erase(columns));
            self.columns = columns;
            rows.iter().for_each(|row| out.push_str(&format!("{}\n\r", row.text)));
        }
        self.rows = rows;
        out.push_str(END);
        out
    }

    /// Takes the rows away, so that something can be printed in their place.
    pub fn erase(&self, columns: usize) -> String {
        let rows = self.rows.iter().map(|row| match columns < self.columns {
            // The terminal has become narrower, and has broken lines in several.
            true => row.columns.div_ceil(columns.max(1)).max(1),
            false => 1,
        });
        format!("{}{TO_END}", up(rows.sum()))
    }

    /// Draws the same rows again, at the cursor.
    pub fn again(&mut self, columns: usize) -> String {
        let rows = std::mem::take(&mut self.rows);
        self.columns = 0;
        self.draw(rows, columns)
    }
}

/// To the beginning of the line so many lines above.
fn up(lines: usize) -> String {
    match lines {
        0 => "\r".into(),
        lines => format!("\r\u{1b}[{lines}A"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(texts: &[&str]) -> Vec<Row> {
        texts.iter().map(|text| Row { text: (*text).into(), columns: text.len() }).collect()
    }

    /// The codes that say nothing about what is drawn left out.
    fn drawn(text: String) -> String {
        text.replace(BEGIN, "").replace(END, "").replace('\u{1b}', "^")
    }

    #[test]
    fn only_what_changes_is_drawn_again() {
        let mut below = Below::default();
        assert_eq!(drawn(below.draw(rows(&["a", "b"]), 80)), "\r^[Ja\n\rb\n\r");
        assert_eq!(drawn(below.draw(rows(&["a", "c"]), 80)), "\r^[2A\n\rc^[K\n\r");
        assert_eq!(drawn(below.draw(rows(&["a"]), 80)), "\r^[2A^[Ja\n\r");
    }

    #[test]
    fn text_takes_the_place_of_the_rows_and_they_come_below_it() {
        let mut below = Below::default();
        below.draw(rows(&["a", "b"]), 80);
        assert_eq!(drawn(below.erase(80)), "\r^[2A^[J");
        assert_eq!(drawn(below.again(80)), "\r^[Ja\n\rb\n\r");
        assert_eq!(below.draw(rows(&["a", "b"]), 80), "");
    }

    #[test]
    fn a_narrower_terminal_has_broken_the_lines() {
        let mut below = Below::default();
        below.draw(rows(&["12345678", "", "1234"]), 8);
        assert_eq!(drawn(below.erase(4)), "\r^[4A^[J");
        assert_eq!(drawn(below.erase(16)), "\r^[3A^[J");
    }
}
