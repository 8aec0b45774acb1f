//! A square of pairs: the area of each mark is how often the one follows the other.

use super::Words;
use super::frame::{svg, text};
use super::path::Path;

/// Pairs of a row and a column, and what is to be seen of each, above 0 and at most 1.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// What is read out.
    pub words: Words,
    /// Above it.
    pub title: String,
    /// What rows are.
    pub rows: String,
    /// What columns are.
    pub columns: String,
    /// How many there are of either.
    pub size: usize,
    /// Pairs and their values.
    pub cells: Vec<(usize, usize, f64)>,
}

/// Where the square begins and ends.
const LEFT: f64 = 84.0;
const TOP: f64 = 92.0;
const SIDE: f64 = 430.0;

/// Squares stand side by side, and are shown smaller than other plots: the size of their text.
const TEXT: i32 = 24;

/// Marks smaller than that are not seen.
const LEAST: f64 = 0.3;

impl Matrix {
    /// The plot; nothing where there is no pair.
    pub fn svg(&self) -> Option<String> {
        let cell = SIDE / self.size.max(1) as f64;
        let most = self.cells.iter().map(|cell| cell.2).fold(0.0, f64::max);
        if !(most > 0.0 && most.is_finite()) {
            return None;
        }
        let (mut others, mut same) = (Path::new(), Path::new());
        for &(row, column, value) in &self.cells {
            let side = (cell - 0.5).max(0.5) * (value / most).sqrt();
            if side >= LEAST && row < self.size && column < self.size {
                let middle = |number: usize| cell * (number as f64 + 0.5);
                let corner = (LEFT + middle(column) - side / 2.0, TOP + middle(row) - side / 2.0);
                let path = if row == column { &mut same } else { &mut others };
                path.rect(corner, side, side);
            }
        }
        let mut body =
            format!("<rect class=\"ground\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{SIDE}\" height=\"{SIDE}\"/>");
        // The diagonal: the same expert again.
        body += &format!("<path class=\"grid\" d=\"M{LEFT} {TOP}l{SIDE} {SIDE}\"/>");
        body += &format!(
            "<g class=\"c0\">{}</g><g class=\"c1\">{}</g>\n",
            others.element("bar"),
            same.element("bar")
        );
        body += &text((0.0, 20.0), "start", "title", &coec_graph::text_cut(&self.title, TEXT, 500));
        body += &text((LEFT + SIDE / 2.0, TOP - 34.0), "middle", "muted", &self.columns);
        let y = TOP + SIDE / 2.0;
        let label = text((28.0, y), "middle", "muted", &self.rows);
        body += &label.replacen("<text ", &format!("<text transform=\"rotate(-90 28 {y:.1})\" "), 1);
        let last = self.size - 1;
        for number in if last > 0 { vec![0, last] } else { vec![0] } {
            let at = cell * (number as f64 + 0.5);
            let name = number.to_string();
            let half = f64::from(coec_graph::text_width(&name, TEXT)) / 2.0;
            let x = (LEFT + at).clamp(LEFT + half, LEFT + SIDE - half);
            body += &text((x, TOP - 8.0), "middle", "muted", &name);
            body +=
                &text((LEFT - 8.0, (TOP + at + 8.0).clamp(TOP + 17.0, TOP + SIDE)), "end", "muted", &name);
        }
        Some(svg(&self.words, TOP + SIDE + 6.0, &body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(cells: &[(usize, usize, f64)]) -> Option<String> {
        Matrix {
            words: Words { id: "m".into(), title: "t".into(), description: "d".into() },
            title: "layer 0".into(),
            rows: "iteration 1".into(),
            columns: "iteration 2".into(),
            size: 2,
            cells: cells.to_vec(),
        }
        .svg()
    }

    #[test]
    fn area_is_the_share_and_the_same_expert_again_has_its_colour() {
        let svg = drawn(&[(0, 1, 1.0), (1, 1, 0.25)]).unwrap();
        // Cells of 215 less half a unit: a full one, and one of half the side.
        assert!(svg.contains("M299.3 92.3h214.5v214.5h-214.5z"), "{svg}");
        assert!(svg.contains("h107.3v107.3"), "{svg}");
    }

    #[test]
    fn nothing_is_drawn_of_nothing_and_of_what_does_not_fit() {
        assert_eq!(drawn(&[]), None);
        assert!(!drawn(&[(5, 1, 1.0)]).unwrap().contains("class=\"bar\""));
    }
}
