//! Boxes, and where they stand.

use super::canvas::{Anchor, Area, Canvas};
use super::label;

/// Norms stand here, between the stream and what they feed.
pub const NORM: Area = Area { x: 104, y: 0, width: 56, height: 28 };
/// Boxes of blocks begin and end here.
pub const BOX: (i32, i32) = (328, 592);
/// A box with a title and lines below it, all in its middle.
pub fn boxed(canvas: &mut Canvas, area: Area, title: &str, lines: &[String]) {
    canvas.rect(area, 6, "box");
    let (x, middle) = area.middle();
    let first = middle + 4 - 8 * lines.len() as i32;
    canvas.text((x, first), Anchor::Middle, "bold", &label::cut(title, 13, area.width - 8));
    for (i, line) in lines.iter().enumerate() {
        let y = first + 16 * (i as i32 + 1);
        canvas.text((x, y), Anchor::Middle, "muted", &label::cut(line, 12, area.width - 8));
    }
}
