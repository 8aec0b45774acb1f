//! Tables: a caption, headings with their scopes, and rows that can be scrolled by keyboard.

use crate::html::escape;

/// A cell, as HTML, and whether it is a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    html: String,
    class: &'static str,
}

impl Cell {
    /// Words.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self { html: escape(text.as_ref()), class: "" }
    }

    /// A number, to stand under others.
    pub fn number(text: impl AsRef<str>) -> Self {
        Self { html: escape(text.as_ref()), class: "n" }
    }

    /// Something that is HTML already.
    pub fn html(html: String) -> Self {
        Self { html, class: "" }
    }

    /// A value as specs write it.
    pub fn code(text: impl AsRef<str>) -> Self {
        Self { html: format!("<code>{}</code>", escape(text.as_ref())), class: "" }
    }

    /// The same, set back: it is what others are too.
    pub fn quiet(self) -> Self {
        Self { class: if self.class == "n" { "n quiet" } else { "quiet" }, ..self }
    }

    /// The same, as something that is wrong.
    pub fn bad(self) -> Self {
        Self { class: if self.class == "n" { "n bad" } else { "bad" }, ..self }
    }

    fn attribute(&self) -> String {
        if self.class.is_empty() { String::new() } else { format!(" class=\"{}\"", self.class) }
    }
}

/// A table in the making. The first cell of a row is its heading.
#[derive(Debug)]
pub struct Table {
    id: String,
    /// HTML.
    caption: String,
    columns: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty one; `id` is its own on the page, `caption` is HTML.
    pub fn new(id: impl Into<String>, caption: impl Into<String>, columns: Vec<Cell>) -> Self {
        Self { id: id.into(), caption: caption.into(), columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As HTML, in a frame of its own that scrolls where the page is narrower.
    pub fn html(&self) -> String {
        let Self { id, caption, columns, rows } = self;
        let mut out = format!(
            "<div class=\"scroll\" role=\"group\" aria-labelledby=\"{id}\" tabindex=\"0\">\n<table>\n\
             <caption id=\"{id}\"><span>{caption}</span></caption>\n<thead><tr>"
        );
        for cell in columns {
            out += &format!("<th scope=\"col\"{}>{}</th>", cell.attribute(), cell.html);
        }
        out += "</tr></thead>\n<tbody>\n";
        for row in rows {
            out += "<tr>";
            for (place, cell) in row.iter().enumerate() {
                match place {
                    0 => out += &format!("<th scope=\"row\"{}>{}</th>", cell.attribute(), cell.html),
                    _ => out += &format!("<td{}>{}</td>", cell.attribute(), cell.html),
                }
            }
            out += "</tr>\n";
        }
        out += "</tbody>\n</table>\n</div>\n";
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_are_headed_and_cells_escaped() {
        let mut table = Table::new("t", "A caption", vec![Cell::text("run"), Cell::number("loss")]);
        table.push(vec![Cell::text("<a>"), Cell::number("1").bad()]);
        let html = table.html();
        assert!(html.contains("<caption id=\"t\"><span>A caption</span></caption>"), "{html}");
        assert!(html.contains("<th scope=\"col\">run</th><th scope=\"col\" class=\"n\">loss</th>"), "{html}");
        assert!(html.contains("<th scope=\"row\">&lt;a&gt;</th><td class=\"n bad\">1</td>"), "{html}");
    }
}
