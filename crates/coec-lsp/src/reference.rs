//! docs/language.md as data: one line of meaning for every field, word, block, figure and condition.
//!
//! The text is part of the program. What an editor shows is what the reference says, and a test holds the two together:
//! a field without its row there does not pass.

use std::collections::HashMap;
use std::sync::LazyLock;

use coec_ir::Figure;
use coec_ir::table::{TRAIN, Table};

const TEXT: &str = include_str!("../../../docs/language.md");

/// What the reference says, by what it is about.
#[derive(Default)]
struct Reference {
    /// By block and field: `coe`'s stand under `ffn`.
    fields: HashMap<String, String>,
    /// By field and word.
    words: HashMap<String, String>,
    figures: HashMap<String, String>,
    conditions: HashMap<String, String>,
    /// What a block is, by its word.
    blocks: HashMap<String, String>,
}

static REFERENCE: LazyLock<Reference> = LazyLock::new(Reference::read);

/// Two names as one key.
fn key(of: &str, name: &str) -> String {
    format!("{of}.{name}")
}

/// What a field of a block holds.
pub(crate) fn field(table: &Table, name: &str) -> Option<&'static str> {
    let owner = match table.word {
        "coe" | "moe" | "dense" => "ffn",
        "softmax" | "sigmoid" => "router",
        word => word,
    };
    let found = REFERENCE.fields.get(&key(owner, name));
    // The row of a block of few fields says them all.
    found.map(String::as_str).or_else(|| block(table))
}

/// What a word says as the value of a field.
pub(crate) fn word(field: &str, word: &str) -> Option<&'static str> {
    REFERENCE.words.get(&key(field, word)).map(String::as_str)
}

/// What a figure counts.
pub(crate) fn figure(figure: Figure) -> Option<&'static str> {
    REFERENCE.figures.get(figure.name()).map(String::as_str)
}

/// What a condition of a rule sets.
pub(crate) fn condition(name: &str) -> Option<&'static str> {
    REFERENCE.conditions.get(name).map(String::as_str)
}

/// What a block is.
pub(crate) fn block(table: &Table) -> Option<&'static str> {
    let names = |table: &Table| table.fields.iter().map(|field| field.name).collect::<Vec<_>>();
    let is_it = |other: &Table| other.word == table.word && names(other) == names(table);
    // A word of several blocks stands in the reference with the field that each is for.
    let field = TRAIN.fields.iter().find(|field| field.tables().iter().any(is_it));
    let named = field.and_then(|field| REFERENCE.blocks.get(&key(field.name, table.word)));
    named.or_else(|| REFERENCE.blocks.get(table.word)).map(String::as_str)
}

/// A table of the reference, with the headings it stands under.
struct Rows {
    section: &'static str,
    heading: &'static str,
    names: Vec<&'static str>,
    rows: Vec<Vec<&'static str>>,
}

impl Reference {
    fn read() -> Self {
        let mut found = Self::default();
        for table in tables() {
            found.table(&table);
        }
        found.bullets();
        found
    }

    fn table(&mut self, table: &Rows) {
        match (table.section, table.names.as_slice()) {
            ("Figures", ["figure", ..]) => self.columns(table, |found, name, row| {
                found.figures.insert(name.into(), row.last().copied().unwrap_or_default().into());
            }),
            (_, ["condition", ..]) => {
                for row in &table.rows {
                    let (name, rest) =
                        row[0].split_once('`').and_then(|(_, rest)| rest.split_once('`')).unwrap_or_default();
                    let meaning = rest.trim_start_matches(':').trim();
                    self.conditions.insert(name.into(), format!("{meaning}; when left out: {}", row[1]));
                }
            }
            (_, ["block", "field", ..]) => {
                let mut block = "";
                for row in &table.rows {
                    block = quoted(row[0]).first().copied().unwrap_or(block);
                    for name in quoted(row[1]) {
                        self.fields.insert(key(block, name), row[2].into());
                    }
                }
                self.follow();
            }
            (_, ["block", "fields"]) => {
                for row in &table.rows {
                    match quoted(row[0]).as_slice() {
                        [word, field] if row[0].contains(" of ") => {
                            self.blocks.insert(key(field, word), row[1].into());
                        }
                        words => words.iter().for_each(|word| {
                            self.blocks.insert((*word).into(), row[1].into());
                        }),
                    }
                }
            }
            (_, ["term", ..]) => self.columns(table, |found, name, row| {
                found.blocks.insert(name.into(), row[2].into());
            }),
            ("Models", ["field", ..]) => self.fields_of("model", table, 1),
            ("Training", ["field", ..]) => self.fields_of("train", table, 1),
            ("Feed-forward", ["field", "of", ..]) => self.fields_of("ffn", table, 2),
            ("Feed-forward", ["field", ..]) if table.heading == "router" => {
                self.fields_of("router", table, 1)
            }
            ("Training", [first, kept, again]) => self.words_of(quoted(first), table, &[kept, again]),
            ("Feed-forward", [first, rest @ ..]) if !quoted(first).is_empty() => {
                self.words_of(quoted(first), table, rest)
            }
            _ => {}
        }
    }

    /// Rows that say "as above" say what the row of that field above says.
    fn follow(&mut self) {
        let is_short = |text: &str| text.starts_with("as above") || text == "the same";
        let above: Vec<_> = self.fields.iter().map(|(of, text)| (of.clone(), text.clone())).collect();
        for (of, text) in self.fields.iter_mut().filter(|(_, text)| is_short(text)) {
            let name = |of: &str| of.split_once('.').map(|(_, name)| name.to_owned());
            let same = above.iter().find(|(other, said)| name(other) == name(of) && !is_short(said));
            if let Some((_, said)) = same {
                text.clone_from(said);
            }
        }
    }

    fn columns(&mut self, table: &Rows, mut take: impl FnMut(&mut Self, &'static str, &[&'static str])) {
        for row in &table.rows {
            for name in quoted(row[0]) {
                take(self, name, row);
            }
        }
    }

    fn fields_of(&mut self, block: &'static str, table: &Rows, column: usize) {
        for row in &table.rows {
            for name in quoted(row[0]) {
                let name = name.split('[').next().unwrap_or(name);
                self.fields.insert(key(block, name), row[column].into());
            }
        }
    }

    /// The rows of a table of one field's words; what the columns are called stands in front of each.
    fn words_of(&mut self, fields: Vec<&'static str>, table: &Rows, columns: &[&'static str]) {
        let Some(field) = fields.first() else { return };
        for row in &table.rows {
            for word in quoted(row[0]) {
                let cells = columns.iter().zip(&row[1..]).filter(|(_, cell)| !cell.is_empty());
                let said: Vec<String> = cells
                    .map(
                        |(column, cell)| {
                            if column.is_empty() { (*cell).into() } else { format!("{column}: {cell}") }
                        },
                    )
                    .collect();
                self.words.insert(key(field, word), said.join("  \n"));
            }
        }
    }

    /// Paragraphs and points that begin with the word of a block or of a value.
    fn bullets(&mut self) {
        let (mut section, mut heading) = ("", "");
        for paragraph in TEXT.split("\n\n").flat_map(|paragraph| paragraph.split("\n- ")) {
            let paragraph = paragraph.trim_start_matches("- ").trim();
            if let Some(title) = paragraph.strip_prefix("### ") {
                heading = title;
            } else if let Some(title) = paragraph.strip_prefix("## ") {
                (section, heading) = (title, "");
            }
            let is_code = paragraph.starts_with("```");
            let Some((word, _)) =
                paragraph.strip_prefix('`').filter(|_| !is_code).and_then(|rest| rest.split_once('`'))
            else {
                continue;
            };
            let text = in_a_line(paragraph.split("\n|").next().unwrap_or_default());
            let is_section = ["Models", "Attention", "Feed-forward"].contains(&section);
            match heading {
                "" if is_section => {
                    let name = word.split('(').next().unwrap_or(word);
                    self.blocks.entry(name.into()).or_insert(text);
                }
                "act" | "router" => self.sentences(heading, &text),
                _ => {}
            }
        }
        // One paragraph says what all feed-forward blocks are.
        for word in ["coe", "moe"] {
            let said = TEXT.split_once(&format!("`{word}(...)` is ")).map(|(_, rest)| rest);
            if let Some((said, _)) = said.and_then(|rest| rest.split_once(['.', ';'])) {
                self.blocks.insert(word.into(), format!("`{word}(...)` is {}.", in_a_line(said)));
            }
        }
    }

    /// A paragraph of which each part begins with a word of a field.
    fn sentences(&mut self, field: &str, text: &str) {
        for joint in [", `", " and `", "; `", ". `"] {
            for part in text.split(joint) {
                let part = part.trim_start_matches('`');
                let Some((word, said)) = part.split_once('`') else { continue };
                let said = said.split("; ").next().unwrap_or(said);
                let said = format!("`{word}`{said}");
                self.words.entry(key(field, word)).or_insert_with(|| said.clone());
                if field == "router" {
                    self.blocks.entry(word.into()).or_insert(said);
                }
            }
        }
    }
}

/// A paragraph without its line ends.
fn in_a_line(paragraph: &str) -> String {
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands between backticks in a cell, in order.
fn quoted(cell: &'static str) -> Vec<&'static str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn tables() -> Vec<Rows> {
    let (mut section, mut heading) = ("", "");
    let mut found: Vec<Rows> = Vec::new();
    let mut open = false;
    for line in TEXT.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            heading = title;
        } else if let Some(title) = line.strip_prefix("## ") {
            (section, heading) = (title, "");
        }
        let Some(row) = line.trim_end().strip_prefix('|').and_then(|row| row.strip_suffix('|')) else {
            open = false;
            continue;
        };
        if row.trim_start().starts_with("--") {
            continue;
        }
        let cells: Vec<&'static str> = row.split('|').map(str::trim).collect();
        match found.last_mut().filter(|_| open) {
            Some(table) => {
                let mut cells = cells;
                cells.resize(table.names.len().max(cells.len()), "");
                table.rows.push(cells);
            }
            None => found.push(Rows { section, heading, names: cells, rows: Vec::new() }),
        }
        open = true;
    }
    found
}

#[cfg(test)]
mod tests {
    use coec_ir::budget::CONDITIONS;
    use coec_ir::table::{self, Kind, MODEL, TRAIN};

    use super::*;

    fn everything() -> impl Iterator<Item = &'static Table> {
        table::all().iter().copied().chain([&MODEL, &TRAIN])
    }

    #[test]
    fn the_reference_has_every_field() {
        let missing: Vec<String> = everything()
            .flat_map(|table| table.open().map(move |open| (table, open.name)))
            .filter(|(table, name)| field(table, name).is_none_or(str::is_empty))
            .map(|(table, name)| format!("{}.{name}", table.word))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn the_reference_has_every_block_figure_and_condition() {
        let missing: Vec<&str> = table::all()
            .iter()
            .filter(|table| block(table).is_none_or(str::is_empty))
            .map(|table| table.word)
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
        let missing: Vec<&str> =
            Figure::ALL.into_iter().filter(|one| figure(*one).is_none()).map(Figure::name).collect();
        assert!(missing.is_empty(), "{missing:?}");
        let missing: Vec<&str> =
            CONDITIONS.iter().copied().filter(|name| condition(name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn the_reference_has_the_words_that_say_most() {
        let words = everything().flat_map(|table| table.fields).filter_map(|field| match field.kind {
            Kind::Word(words) if ["residual", "gate", "act", "recompute"].contains(&field.name) => {
                Some((field.name, words()))
            }
            _ => None,
        });
        for (name, all) in words {
            let missing: Vec<_> = all.into_iter().filter(|one| word(name, one).is_none()).collect();
            assert!(missing.is_empty(), "{name}: {missing:?}");
        }
    }
}
