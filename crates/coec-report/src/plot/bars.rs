//! Rows of small bars: many values of many things, each row on the same scale.

use super::Words;
use super::frame::{WIDTH, cut, svg, text, width};
use super::path::Path;
use crate::series::Style;

/// A row of bars.
#[derive(Debug, Clone)]
pub struct Row {
    /// In front of it.
    pub label: String,
    /// The colour of its bars.
    pub style: Style,
    /// Their heights; 1 is the line that all rows have.
    pub values: Vec<f64>,
}

/// Rows of bars over a common axis of numbers.
#[derive(Debug, Clone)]
pub struct Bars<'a> {
    /// What is read out.
    pub words: Words,
    /// Above them.
    pub title: String,
    /// What is counted along: `expert`.
    pub x: String,
    /// The rows.
    pub rows: &'a [Row],
}

/// Height of a row, bars and the air above them.
const ROW: f64 = 30.0;
const AIR: f64 = 5.0;

/// The tallest bar, in shares of an equal one, that is drawn in full.
const TALLEST: f64 = 4.0;

/// Bars of a row at most: more could not be told apart.
const MOST: usize = 512;

/// Of how many neighbours a bar is the mean, where there are so many values.
pub fn neighbours(values: usize) -> usize {
    values.div_ceil(MOST).max(1)
}

/// The heights of the bars.
fn binned(values: &[f64]) -> Vec<f64> {
    let bins = values.chunks(neighbours(values.len()));
    bins.map(|bin| bin.iter().sum::<f64>() / bin.len() as f64).collect()
}

impl Bars<'_> {
    /// The plot; nothing where there is no bar.
    pub fn svg(&self) -> Option<String> {
        let count = self.rows.iter().map(|row| row.values.len()).max().filter(|&count| count > 0)?;
        let labels = self.rows.iter().map(|row| width(&row.label)).fold(0.0, f64::max);
        let left = labels.min(230.0) + 12.0;
        let cell = (WIDTH - 2.0 - left) / count.div_ceil(neighbours(count)) as f64;
        // A gap between bars as long as there is room for one.
        let bar = if cell > 4.0 { cell - 1.5 } else { cell * 0.8 };
        let values = self.rows.iter().flat_map(|row| &row.values).copied();
        let tallest = values.fold(1.0, f64::max).min(TALLEST);
        let (top, mut body) = (32.0, String::new());
        for (place, row) in self.rows.iter().enumerate() {
            let base = top + ROW * (place + 1) as f64;
            let scale = (ROW - AIR) / tallest;
            let label = cut(&row.label, left - 10.0);
            body += &text((left - 10.0, base - 6.0), "end", "muted", &label);
            let (mut bars, mut empty) = (Path::new(), Path::new());
            for (at, value) in binned(&row.values).into_iter().enumerate() {
                let x = left + cell * at as f64;
                match value {
                    0.0 => empty.shape((x + bar / 2.0, base - 5.0), "m-3-3l6 6m0-6l-6 6"),
                    value => {
                        let height = (value.min(tallest) * scale).max(0.5);
                        bars.rect((x, base), bar, -height);
                    }
                }
            }
            let class = row.style.class();
            body += &format!("<g class=\"{class}\">{}</g>{}", bars.element("bar"), empty.element("dead"));
            body += &format!(
                "<path class=\"axis\" d=\"M{left:.1} {base:.1}H{WIDTH}\"/>\
                 <path class=\"reference\" d=\"M{left:.1} {:.1}H{WIDTH}\"/>\n",
                base - scale
            );
        }
        let bottom = top + ROW * self.rows.len() as f64;
        body += &text((0.0, 16.0), "start", "title", &self.title);
        let last = (count - 1).to_string();
        let half = width("0") / 2.0;
        body += &text((left + (bar / 2.0).max(half), bottom + 20.0), "middle", "muted", "0");
        body += &text((WIDTH, bottom + 20.0), "end", "muted", &last);
        body += &text(((left + WIDTH) / 2.0, bottom + 20.0), "middle", "muted", &self.x);
        Some(svg(&self.words, bottom + 28.0, &body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(rows: &[Row]) -> Option<String> {
        let words = Words { id: "b".into(), title: "t".into(), description: "d".into() };
        Bars { words, title: "load".into(), x: "expert".into(), rows }.svg()
    }

    #[test]
    fn what_is_zero_has_a_mark_in_place_of_a_bar() {
        let row =
            |values: &[f64]| Row { label: "layer 0".into(), style: Style::fixed(0), values: values.to_vec() };
        assert!(!drawn(&[row(&[1.0, 1.0])]).unwrap().contains("class=\"dead\""));
        assert!(drawn(&[row(&[2.0, 0.0])]).unwrap().contains("class=\"dead\""));
        assert_eq!(drawn(&[]), None);
    }

    #[test]
    fn bars_are_means_where_there_are_too_many() {
        assert_eq!(binned(&[1.0, 3.0]), [1.0, 3.0]);
        let bars = binned(&(0..1024).map(f64::from).collect::<Vec<_>>());
        assert_eq!((bars.len(), bars[0], bars[511]), (512, 0.5, 1022.5));
    }

    #[test]
    fn any_number_of_bars_fits() {
        let values = vec![1.0; 256];
        let svg = drawn(&[Row { label: "a very long label indeed".into(), style: Style::fixed(0), values }])
            .unwrap();
        assert!(svg.contains("class=\"bar\""));
    }
}
