//! How much room text takes, and how it is broken into lines.

/// Widths of the printable ASCII characters in Helvetica, in thousandths of the size.
#[rustfmt::skip]
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// Other fonts are wider than Helvetica: room for a tenth more.
const SLACK: i64 = 110;

/// Columns that a text of a font size takes, rather too many than too few.
pub fn width(text: &str, size: i32) -> i32 {
    let of = |c: char| -> i64 {
        let place = (c as usize).checked_sub(0x20);
        place.and_then(|place| WIDTHS.get(place)).map_or(620, |&width| i64::from(width))
    };
    let thousandths: i64 = text.chars().map(of).sum();
    (thousandths * i64::from(size) * SLACK / 100_000) as i32 + 1
}

/// Between parts that stand on one line.
const BETWEEN: &str = " · ";

/// Parts in as few lines as hold them in a width; a part is never broken.
pub fn lines(parts: &[String], size: i32, room: i32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if width(line, size) + width(BETWEEN, size) + width(part, size) <= room => {
                line.push_str(BETWEEN);
                line.push_str(part);
            }
            _ => lines.push(part.clone()),
        }
    }
    lines
}

/// A text, or its beginning where it is too wide.
pub fn cut(text: &str, size: i32, room: i32) -> String {
    if width(text, size) <= room {
        return text.to_string();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if width(&kept, size) + width("W…", size) > room {
            break;
        }
        kept.push(c);
    }
    kept.trim_end().to_string() + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fill_lines() {
        let parts = ["softmax", "renormed", "selection bias"].map(String::from);
        assert_eq!(lines(&parts, 12, 1000), ["softmax · renormed · selection bias"]);
        assert_eq!(lines(&parts, 12, 120).len(), 2);
        assert_eq!(lines(&parts, 12, 1).len(), 3);
        assert!(width(&cut(&"wide ".repeat(50), 12, 200), 12) <= 200);
        assert_eq!(cut("short", 12, 200), "short");
    }
}
