//! Shapes, and the text of a picture.
//!
//! Coordinates are whole, and arrowheads are shapes rather than markers: no identifier can clash
//! with that of another picture on the same page.

use std::fmt::Write as _;

/// A place, from the upper left corner.
pub type Point = (i32, i32);

/// Where a text stands from its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    pub x: i32,
    pub y: i32,
    pub width: i32,
    pub height: i32,
}

impl Area {
    pub fn right(self) -> i32 {
        self.x + self.width
    }

    pub fn bottom(self) -> i32 {
        self.y + self.height
    }

    pub fn middle(self) -> Point {
        (self.x + self.width / 2, self.y + self.height / 2)
    }

    pub fn moved(self, x: i32, y: i32) -> Self {
        Self { x: self.x + x, y: self.y + y, ..self }
    }
}

/// Radius of the corners of a line.
const BEND: i32 = 8;
/// Radius of an operator.
pub const OPERATOR: i32 = 9;

/// A picture in the making.
#[derive(Debug, Default)]
pub struct Canvas {
    body: String,
}

impl Canvas {
    pub fn rect(&mut self, area: Area, radius: i32, class: &str) {
        let Area { x, y, width, height } = area;
        let _ = writeln!(
            self.body,
            r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"/>"#
        );
    }

    pub fn text(&mut self, (x, y): Point, anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let text = escape(text);
        let _ = writeln!(self.body, r#"<text class="{class}" x="{x}" y="{y}"{anchor}>{text}</text>"#);
    }

    /// A line through points, its corners rounded.
    pub fn line(&mut self, points: &[Point], class: &str) {
        let Some((&(x, y), rest)) = points.split_first() else { return };
        let mut path = format!("M{x} {y}");
        for (i, &(x, y)) in rest.iter().enumerate() {
            match rest.get(i + 1) {
                Some(&next) => {
                    let before = toward((x, y), points[i], BEND);
                    let after = toward((x, y), next, BEND);
                    let _ = write!(path, "L{} {}Q{x} {y} {} {}", before.0, before.1, after.0, after.1);
                }
                None => {
                    let _ = write!(path, "L{x} {y}");
                }
            }
        }
        let _ = writeln!(self.body, r#"<path class="{class}" d="{path}"/>"#);
    }

    /// A line that ends in an arrowhead.
    pub fn arrow(&mut self, points: &[Point], class: &str) {
        let [.., before, tip] = *points else { return };
        let end = toward(tip, before, 5);
        let mut shortened = points.to_vec();
        if let Some(last) = shortened.last_mut() {
            *last = end;
        }
        self.line(&shortened, class);
        let base = toward(tip, before, 8);
        let (dx, dy) = ((tip.0 - before.0).signum() * 4, (tip.1 - before.1).signum() * 4);
        let (left, right) = ((base.0 + dy, base.1 - dx), (base.0 - dy, base.1 + dx));
        let _ = writeln!(
            self.body,
            r#"<path class="{class} tip" d="M{} {}L{} {}L{} {}Z"/>"#,
            tip.0, tip.1, left.0, left.1, right.0, right.1
        );
    }

    /// A place where a line parts.
    pub fn dot(&mut self, (x, y): Point, class: &str) {
        let _ = writeln!(self.body, r#"<circle class="{class} dot" cx="{x}" cy="{y}" r="3"/>"#);
    }

    /// A sum, or with `minus` a difference.
    pub fn operator(&mut self, (x, y): Point, class: &str, minus: bool) {
        let _ = writeln!(self.body, r#"<circle class="{class} operator" cx="{x}" cy="{y}" r="{OPERATOR}"/>"#);
        let upright = if minus { String::new() } else { format!("M{x} {}V{}", y - 5, y + 5) };
        let _ = writeln!(self.body, r#"<path class="{class}" d="M{} {y}H{}{upright}"/>"#, x - 5, x + 5);
    }

    /// Everything of another picture, on top.
    pub fn append(&mut self, other: Self) {
        self.body.push_str(&other.body);
    }

    /// The picture, with what is read out in place of it.
    pub fn finish(self, size: (i32, i32), id: String, title: String, description: String) -> Picture {
        Picture { body: self.body, size, id, title, description }
    }
}

/// A picture, and what is read out in place of it.
#[derive(Debug)]
pub struct Picture {
    body: String,
    size: (i32, i32),
    id: String,
    title: String,
    description: String,
}

impl Picture {
    /// As a file of its own.
    pub fn alone(&self) -> String {
        self.svg(&self.id, " xmlns=\"http://www.w3.org/2000/svg\"", &format!("<style>\n{STYLE}</style>\n"))
    }

    /// As a part of a page.
    pub fn inside(&self, id: &str) -> String {
        self.svg(&escape(id), &format!(" class=\"{INSIDE}\""), "")
    }

    fn svg(&self, id: &str, attribute: &str, style: &str) -> String {
        let (width, height) = self.size;
        let (title, description) = (escape(&self.title), escape(&self.description));
        format!(
            "<svg{attribute} width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\n\
             <title id=\"{id}-title\">{title}</title>\n<desc id=\"{id}-desc\">{description}</desc>\n\
             {style}{}</svg>\n",
            self.body
        )
    }
}

/// The class of pictures inside a page.
const INSIDE: &str = "coec-model";

/// The style with every rule said of pictures inside a page alone. On paper it stays light.
pub fn style_inside() -> String {
    let line = |line: &str| match line.split_once('{') {
        Some((media, "")) => media.replace("@media ", "@media screen and ") + "{",
        Some((selectors, rule)) => {
            let scoped: Vec<String> =
                selectors.split(',').map(|selector| format!(".{INSIDE} {selector}")).collect();
            format!("{}{{{rule}", scoped.join(","))
        }
        None => line.to_owned(),
    };
    STYLE.lines().map(|text| line(text) + "\n").collect()
}

/// The place that is `distance` from one point on the straight way to another, at most half way.
fn toward(from: Point, to: Point, distance: i32) -> Point {
    let step = |from: i32, to: i32| (to - from).signum() * distance.min((to - from).abs() / 2);
    (from.0 + step(from.0, to.0), from.1 + step(from.1, to.1))
}

/// Text as XML holds it; control characters, which it cannot hold, are left out.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

/// The picture has a ground of its own, so that it is legible on any page; where the reader
/// prefers dark, it is dark.
const STYLE: &str = "\
text{font-family:-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:12px;fill:#1f2328}
.name{font-size:19px;font-weight:600}
.head{font-size:14px;font-weight:600}
.bold{font-weight:600}
.small{font-size:11px}
.muted{fill:#59636e}
.sign{font-style:italic;fill:#59636e}
.ground{fill:#ffffff;stroke:#d1d9e0}
.panel{fill:#f6f8fa;stroke:#d1d9e0}
.section{fill:#ffffff;stroke:#d1d9e0}
.box{fill:#ffffff;stroke:#818b98}
.body,.plate{fill:#f6f3fd;stroke:none}
.track{fill:#e6eaef;stroke:none}
.table{fill:#1a7f37;stroke:none}
.attention{fill:#0969da;stroke:none}
.ffn{fill:#bf5b00;stroke:none}
.stream{stroke:#1f2328;stroke-width:3;fill:none}
.flow{stroke:#59636e;stroke-width:1.5;fill:none}
.kept{stroke:#bf5b00;stroke-width:2;fill:none}
.loop{stroke:#8250df;stroke-width:2;fill:none}
.loops{fill:#8250df;font-weight:600}
.halo{stroke:#f6f3fd;stroke-width:7;fill:none}
.stream.tip,.stream.dot{fill:#1f2328;stroke:none}
.flow.tip,.flow.dot{fill:#59636e;stroke:none}
.kept.tip,.kept.dot{fill:#bf5b00;stroke:none}
.loop.tip,.loop.dot{fill:#8250df;stroke:none}
.operator{fill:#ffffff}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}
.muted,.sign{fill:#9198a1}
.ground{fill:#0d1117;stroke:#3d444d}
.panel{fill:#151b23;stroke:#3d444d}
.section{fill:#0d1117;stroke:#3d444d}
.box{fill:#151b23;stroke:#7d8590}
.body,.plate{fill:#201d34}
.track{fill:#2a313c}
.table{fill:#3fb950}
.attention{fill:#4493f8}
.ffn{fill:#e0823d}
.stream{stroke:#e6edf3}
.flow{stroke:#9198a1}
.kept{stroke:#e0823d}
.loop{stroke:#a371f7}
.loops{fill:#a371f7}
.halo{stroke:#201d34}
.stream.tip,.stream.dot{fill:#e6edf3}
.flow.tip,.flow.dot{fill:#9198a1}
.kept.tip,.kept.dot{fill:#e0823d}
.loop.tip,.loop.dot{fill:#a371f7}
.operator{fill:#0d1117}
}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("a<b> & \"c\"\u{7}"), "a&lt;b&gt; &amp; &quot;c&quot;");
    }

    #[test]
    fn a_page_keeps_its_own_style() {
        let style = style_inside();
        assert!(style.starts_with(".coec-model text{font-family:"), "{style}");
        assert!(style.contains("\n.coec-model .body,.coec-model .plate{"), "{style}");
        assert!(
            style.contains("@media screen and (prefers-color-scheme:dark){\n.coec-model text{"),
            "{style}"
        );
        assert_eq!(style.matches('{').count(), style.matches('}').count());
    }

    #[test]
    fn corners_are_rounded_and_arrows_end_in_a_tip() {
        let mut canvas = Canvas::default();
        canvas.arrow(&[(0, 0), (100, 0), (100, 100)], "flow");
        assert_eq!(
            canvas.body,
            "<path class=\"flow\" d=\"M0 0L92 0Q100 0 100 8L100 95\"/>\n\
             <path class=\"flow tip\" d=\"M100 100L104 92L96 92Z\"/>\n"
        );
    }
}
