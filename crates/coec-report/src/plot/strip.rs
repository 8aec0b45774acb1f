//! Rows of dots over a logarithmic axis: where each of many values lies.

use super::Words;
use super::frame::{WIDTH, cut, svg, text, width};
use super::path::Path;
use super::scale::{Scale, extent};

/// A row of dots.
#[derive(Debug, Clone)]
pub struct Row {
    /// Above it.
    pub label: String,
    /// Their values, above zero.
    pub values: Vec<f64>,
    /// The one in the middle.
    pub median: f64,
}

/// Rows of dots.
#[derive(Debug, Clone)]
pub struct Strip<'a> {
    /// What is read out.
    pub words: Words,
    /// Above them.
    pub title: String,
    /// Below the axis.
    pub x: String,
    /// The rows.
    pub rows: &'a [Row],
}

/// Height of a row: its label, and its dots below.
const ROW: f64 = 42.0;

impl Strip<'_> {
    /// The plot; nothing where there is no dot.
    pub fn svg(&self) -> Option<String> {
        let values = self.rows.iter().flat_map(|row| &row.values).copied().filter(|value| *value > 0.0);
        let scale = Scale::log(extent(values)?, (14.0, WIDTH - 14.0), 7);
        let (top, mut body) = (34.0, String::new());
        let bottom = top + ROW * self.rows.len() as f64;
        let mut free = f64::NEG_INFINITY;
        for tick in &scale.ticks {
            let x = scale.at(tick.value);
            let half = width(&tick.label) / 2.0;
            let middle = x.clamp(half, WIDTH - half);
            if middle - half < free + 8.0 {
                continue;
            }
            free = middle + half;
            body += &format!("<path class=\"grid\" d=\"M{x:.1} {top:.1}V{bottom:.1}\"/>");
            body += &text((middle, bottom + 20.0), "middle", "muted", &tick.label);
        }
        for (place, row) in self.rows.iter().enumerate() {
            let y = top + ROW * place as f64;
            body += &format!("<path class=\"grid\" d=\"M0 {:.1}H{WIDTH}\"/>", y + 31.0);
            body += &text((0.0, y + 18.0), "start", "row", &cut(&row.label, WIDTH));
            let mut dots = Path::new();
            row.values
                .iter()
                .filter(|value| **value > 0.0)
                .for_each(|&value| dots.dot((scale.at(value), y + 31.0)));
            body += &format!("<g class=\"c0\">{}</g>", dots.element("dot"));
            if row.median > 0.0 {
                body += &format!(
                    "<path class=\"median\" d=\"M{:.1} {:.1}v14\"/>\n",
                    scale.at(row.median),
                    y + 24.0
                );
            }
        }
        body += &format!("<path class=\"axis\" d=\"M0 {bottom:.1}H{WIDTH}\"/>");
        body += &text((0.0, 16.0), "start", "title", &self.title);
        body += &text((WIDTH, bottom + 42.0), "end", "muted", &self.x);
        Some(svg(&self.words, bottom + 50.0, &body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_a_dot_and_zeros_are_not_on_the_axis() {
        let words = Words { id: "s".into(), title: "t".into(), description: "d".into() };
        let rows = [Row { label: "q_proj".into(), values: vec![0.0, 0.1, 0.2], median: 0.1 }];
        let svg = Strip { words, title: "moved".into(), x: "share".into(), rows: &rows }.svg().unwrap();
        assert_eq!(svg.matches("h0").count(), 2, "{svg}");
        assert_eq!(svg.matches("class=\"median\"").count(), 1);
    }
}
