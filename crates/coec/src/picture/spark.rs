//! Bars of one row or several, each as high as a value.

/// A row's eighths.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Rows from the top, in which `most` reaches from the bottom to the top.
pub fn bars(values: &[Option<f64>], most: f64, rows: usize) -> Vec<String> {
    let eighths = |value: Option<f64>| match value {
        Some(value) if most > 0.0 => {
            // What is there can be seen.
            ((value / most * 8.0 * rows as f64).round() as usize).max(1)
        }
        _ => 0,
    };
    let heights: Vec<usize> = values.iter().map(|value| eighths(*value)).collect();
    let row = |row: usize| {
        let below = 8 * (rows - 1 - row);
        heights.iter().map(|height| BLOCKS[height.saturating_sub(below).min(8)]).collect()
    };
    (0..rows).map(row).collect()
}

/// A bar that lies, `share` of `width` columns long: a thin one, since many stand below each other.
pub fn bar(share: f64, width: usize) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let halves = (share * 2.0 * width as f64).round() as usize;
    "━".repeat(halves / 2) + if halves.is_multiple_of(2) { "" } else { "╸" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_on_the_lowest_row() {
        let values = [Some(0.0), Some(4.0), None, Some(8.0), Some(6.0)];
        assert_eq!(bars(&values, 8.0, 1), ["▁▄ █▆"]);
        assert_eq!(bars(&values, 8.0, 2), ["   █▄", "▁█ ██"]);
        assert_eq!(bars(&[Some(1.0)], 0.0, 1), [" "]);
    }

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert_eq!((bar(0.5, 5), bar(2.0, 2), bar(f64::NAN, 3)), ("━━╸".into(), "━━".into(), "".into()));
    }
}
