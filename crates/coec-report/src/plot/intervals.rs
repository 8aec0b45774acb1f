//! Intervals one below the other, around a line that says nothing differs.

use super::Words;
use super::frame::{WIDTH, cut, cut_bold, svg, text};
use super::scale::{Scale, extent};

/// An estimate and the interval it is in.
#[derive(Debug, Clone)]
pub struct Interval {
    /// Above it.
    pub label: String,
    /// Behind the label, for everybody to see.
    pub note: Option<String>,
    /// The interval and the estimate.
    pub low: f64,
    pub mean: f64,
    pub high: f64,
}

/// Intervals over a common axis.
#[derive(Debug, Clone)]
pub struct Intervals<'a> {
    /// What is read out.
    pub words: Words,
    /// Above them.
    pub title: String,
    /// The intervals.
    pub rows: &'a [Interval],
}

const LINE: f64 = 24.0;

impl Intervals<'_> {
    /// The plot; nothing where there is no interval.
    pub fn svg(&self) -> Option<String> {
        let values = self.rows.iter().flat_map(|row| [row.low, row.mean, row.high]).chain([0.0]);
        let scale = Scale::linear(extent(values)?, (20.0, WIDTH - 20.0), true, 5);
        if self.rows.is_empty() {
            return None;
        }
        let (top, mut body) = (34.0, String::new());
        let height: f64 = self.rows.iter().map(Interval::height).sum();
        let bottom = top + height;
        for tick in &scale.ticks {
            let x = scale.at(tick.value);
            let class = if tick.value == 0.0 { "axis" } else { "grid" };
            body += &format!("<path class=\"{class}\" d=\"M{x:.1} {top:.1}V{bottom:.1}\"/>");
            body += &text((x, bottom + 20.0), "middle", "muted", &tick.label);
        }
        let mut y = top;
        for row in self.rows {
            body += &text((0.0, y + 17.0), "start", "row", &cut(&row.label, WIDTH));
            if let Some(note) = &row.note {
                y += LINE;
                body += &text((0.0, y + 17.0), "start", "unfair", &cut_bold(note, WIDTH));
            }
            let [low, mean, high] = [row.low, row.mean, row.high].map(|value| scale.at(value));
            y += LINE;
            let middle = y + 12.0;
            body += &format!(
                "<path class=\"interval\" d=\"M{low:.1} {middle:.1}H{high:.1}M{low:.1} {:.1}v10M{high:.1} {:.1}v10\"/>\
                 <circle class=\"estimate\" cx=\"{mean:.1}\" cy=\"{middle:.1}\" r=\"5\"/>\n",
                middle - 5.0,
                middle - 5.0
            );
            y += LINE + 6.0;
        }
        body += &text((0.0, 16.0), "start", "title", &cut_bold(&self.title, WIDTH));
        Some(svg(&self.words, bottom + 28.0, &body))
    }
}

impl Interval {
    fn height(&self) -> f64 {
        2.0 * LINE + 6.0 + if self.note.is_some() { LINE } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_its_note() {
        let words = Words { id: "i".into(), title: "t".into(), description: "d".into() };
        let note = Some("not compute-fair: flops.forward +11.0%".to_owned());
        let rows = [Interval { label: "b − a".into(), note, low: -0.2, mean: -0.1, high: 0.0 }];
        let svg = Intervals { words, title: "difference".into(), rows: &rows }.svg().unwrap();
        assert!(svg.contains("class=\"unfair\"") && svg.contains("class=\"estimate\""), "{svg}");
    }
}
