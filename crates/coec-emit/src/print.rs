//! Rust values as text, laid out as rustfmt lays them out.
//!
//! An installed binary cannot count on rustfmt, so lines are broken here: what fits on a line
//! stands on one, and what does not has a line for each field.

use std::cmp::Ordering;

/// Width of a line, as in the generated crate's rustfmt.toml.
pub(crate) const WIDTH: usize = 110;

/// A Rust expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    /// Text as it stands: a number, a path, a call without arguments.
    Plain(String),
    /// `Name { field: value, ... }`.
    Struct(String, Vec<(&'static str, Expr)>),
    /// `name(a, b)`.
    Call(String, Vec<Expr>),
    /// `vec![...]`.
    List(Vec<Expr>),
    /// `[...]`.
    Array(Vec<Expr>),
    /// `(a, b)`.
    Tuple(Vec<Expr>),
    /// A `String` of this text.
    Text(String),
}

/// Characters of a literal in a text that takes several.
const PIECE: usize = 80;

impl Expr {
    /// Text as it stands.
    pub fn plain(text: impl ToString) -> Self {
        Self::Plain(text.to_string())
    }

    /// A float.
    pub fn float(value: f64) -> Self {
        Self::Plain(format!("{value:?}"))
    }

    /// A string.
    pub fn string(text: &str) -> Self {
        if text.is_empty() { Self::plain("String::new()") } else { Self::Text(text.into()) }
    }

    /// The expression from column `indent` on, with `before` columns taken on its first line and
    /// `after` needed on its last.
    pub fn print(&self, indent: usize, before: usize, after: usize) -> String {
        let line = self.line();
        if indent + before + line.chars().count() + after <= WIDTH {
            return line;
        }
        let inner = " ".repeat(indent + 4);
        let outer = " ".repeat(indent);
        match self {
            Self::Plain(text) => text.clone(),
            Self::Struct(name, fields) => {
                let fields = fields.iter().map(|(field, value)| match value {
                    Self::Plain(text) if text == field => format!("{inner}{field},\n"),
                    _ => format!("{inner}{field}: {},\n", value.print(indent + 4, field.len() + 2, 1)),
                });
                format!("{name} {{\n{}{outer}}}", fields.collect::<String>())
            }
            // A last argument takes the call's own lines, as a closure or a list does.
            Self::Call(name, arguments) => match arguments.as_slice() {
                [only] => format!("{name}({})", only.print(indent, before + name.len() + 1, after + 1)),
                _ => {
                    let arguments =
                        arguments.iter().map(|value| format!("{inner}{},\n", value.print(indent + 4, 0, 1)));
                    format!("{name}(\n{}{outer})", arguments.collect::<String>())
                }
            },
            Self::List(values) => {
                let items: Vec<_> = values.iter().map(|value| value.print(indent + 4, 0, 1)).collect();
                format!("vec![\n{}{outer}]", lines(&items, indent + 4))
            }
            Self::Array(values) => {
                let items: Vec<_> = values.iter().map(|value| value.print(indent + 4, 0, 1)).collect();
                format!("[\n{}{outer}]", lines(&items, indent + 4))
            }
            Self::Tuple(values) => Self::Call(String::new(), values.clone()).print(indent, before, after),
            Self::Text(text) => {
                let pieces: Vec<_> = pieces(text).iter().map(|piece| format!("{piece:?}")).collect();
                let line = format!("[{}]", pieces.join(", "));
                // Pieces that fit on a line stand on one, with a column left, and then the call goes a step in.
                if indent + before + line.chars().count() < WIDTH {
                    return format!("{line}\n{inner}.concat()");
                }
                let pieces = pieces.into_iter().map(|piece| format!("{inner}{piece},\n"));
                format!("[\n{}{outer}]\n{outer}.concat()", pieces.collect::<String>())
            }
        }
    }

    /// The expression on one line.
    pub fn line(&self) -> String {
        let join = |values: &[Expr]| values.iter().map(Expr::line).collect::<Vec<_>>().join(", ");
        match self {
            Self::Plain(text) => text.clone(),
            Self::Struct(name, fields) => {
                let fields = fields.iter().map(|(field, value)| match value {
                    Self::Plain(text) if text == field => (*field).to_string(),
                    _ => format!("{field}: {}", value.line()),
                });
                format!("{name} {{ {} }}", fields.collect::<Vec<_>>().join(", "))
            }
            Self::Call(name, arguments) => format!("{name}({})", join(arguments)),
            Self::List(values) => format!("vec![{}]", join(values)),
            Self::Array(values) => format!("[{}]", join(values)),
            Self::Tuple(values) => format!("({})", join(values)),
            Self::Text(text) => format!("{text:?}.into()"),
        }
    }
}

/// A long text in pieces of whole lines, or of as many whole words as fit.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        let mut piece = String::new();
        for word in line.split_inclusive(' ') {
            if piece.chars().count() + word.chars().count() > PIECE && !piece.is_empty() {
                pieces.push(std::mem::take(&mut piece));
            }
            // A word that is longer than a line is cut where the line ends.
            for c in word.chars() {
                if piece.chars().count() == PIECE {
                    pieces.push(std::mem::take(&mut piece));
                }
                piece.push(c);
            }
        }
        pieces.push(piece);
    }
    pieces
}

/// Items of a list over several lines: short ones side by side, as many as fit, long ones alone.
pub(crate) fn lines(items: &[String], indent: usize) -> String {
    let pad = " ".repeat(indent);
    if items.iter().any(|item| item.chars().count() > SHORT) {
        return items.iter().map(|item| format!("{pad}{item},\n")).collect();
    }
    filled(items, indent)
}

/// Items side by side, as many as fit on a line.
fn filled(items: &[String], indent: usize) -> String {
    let pad = " ".repeat(indent);
    let (mut out, mut line) = (String::new(), pad.clone());
    for (i, item) in items.iter().enumerate() {
        // Between items rustfmt keeps room for a comma and a space, behind the last for a comma.
        let width = if i + 1 == items.len() { WIDTH } else { WIDTH - 1 };
        let gap = if line.len() == indent { "" } else { " " };
        if line.len() + gap.len() + item.len() + 1 > width && line.len() > indent {
            out.push_str(&line);
            out.push('\n');
            line.clone_from(&pad);
            line.push_str(item);
        } else {
            line.push_str(gap);
            line.push_str(item);
        }
        line.push(',');
    }
    out + &line + "\n"
}

/// The longest item that rustfmt sets beside others.
const SHORT: usize = 10;

/// `use path::{a, b};`, broken where it is too long. Names are sorted as rustfmt sorts them.
pub(crate) fn import(path: &str, names: &[String]) -> String {
    import_as("", path, names)
}

/// `pub use path::{a, b};`.
pub(crate) fn export(path: &str, names: &[String]) -> String {
    import_as("pub ", path, names)
}

fn import_as(visibility: &str, path: &str, names: &[String]) -> String {
    let mut names = names.to_vec();
    names.sort_by(|a, b| by_version(a, b));
    names.dedup();
    let line = match names.as_slice() {
        [] => return String::new(),
        [one] => format!("{visibility}use {path}::{one};\n"),
        _ => format!("{visibility}use {path}::{{{}}};\n", names.join(", ")),
    };
    if line.len() <= WIDTH + 1 {
        return line;
    }
    format!("{visibility}use {path}::{{\n{}}};\n", filled(&names, 4))
}

/// The order of rustfmt's lists: that of characters, but numbers by their value, `K8` before `K12`.
fn by_version(a: &str, b: &str) -> Ordering {
    let number = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse::<u64>().ok().map(|n| (n, end))
    };
    let (mut a, mut b) = (a, b);
    loop {
        if let (Some((m, i)), Some((n, j))) = (number(a), number(b)) {
            match m.cmp(&n) {
                Ordering::Equal => (a, b) = (&a[i..], &b[j..]),
                unequal => return unequal,
            }
        }
        match (a.chars().next(), b.chars().next()) {
            (Some(x), Some(y)) if x == y => (a, b) = (&a[x.len_utf8()..], &b[y.len_utf8()..]),
            (x, y) => return x.cmp(&y),
        }
    }
}

/// Text of the user's as lines of a comment that starts with `mark`.
///
/// What a terminal or a compiler would not show as it is, is escaped.
pub(crate) fn comment(mark: &str, text: &str) -> String {
    text.lines()
        .map(|line| {
            let shown: String = line
                .replace('\t', "    ")
                .chars()
                .flat_map(|c| match c {
                    '"' | '\'' | '\\' => vec![c],
                    _ => c.escape_debug().collect(),
                })
                .collect();
            let shown = shown.trim_end();
            if shown.is_empty() { format!("{mark}\n") } else { format!("{mark} {shown}\n") }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_sorted_by_value() {
        let names = ["ChainK12", "Mlp", "ChainK8", "Chain", "ChainK8Two"].map(String::from);
        assert_eq!(export("nn", &names), "pub use nn::{Chain, ChainK8, ChainK8Two, ChainK12, Mlp};\n");
    }

    #[test]
    fn pieces_are_the_text_and_fit_on_lines() {
        let text = format!("{}\n\nshort\n{} {}", "word ".repeat(40), "é".repeat(200), "end");
        let pieces = pieces(&text);
        assert_eq!(pieces.concat(), text);
        assert!(pieces.iter().all(|piece| piece.chars().count() <= PIECE && !piece.is_empty()));
        assert_eq!(pieces[0].len(), PIECE, "lines are filled");
        assert!(pieces.contains(&"short\n".to_string()));
    }

    #[test]
    fn pieces_stand_side_by_side_where_they_fit() {
        let text = |len: usize| Expr::string(&format!("{} {}", "a".repeat(PIECE - 1), "b".repeat(len)));
        let two = |len: usize| text(len).print(4, "doc: ".len(), 1);
        // What the first piece, brackets, quotes, a comma and the column that stays free leave.
        let fits = WIDTH - "    doc: ".len() - (PIECE + 2) - "[, \"\"]".len() - 1;
        let side_by_side = two(fits);
        assert_eq!(side_by_side.lines().next().map(|line| "    doc: ".len() + line.len()), Some(WIDTH - 1));
        assert_eq!(side_by_side.lines().nth(1), Some("        .concat()"));
        assert_eq!(two(fits + 1).lines().count(), 5, "brackets, a line for each piece, and the call");
    }
}
