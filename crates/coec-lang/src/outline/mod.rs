//! What stands where in a text, whatever is wrong with it: for editors, in which most texts are half typed.
//!
//! An [`Outline`] says of every token what it is, with the block and the field it belongs to, and what the items
//! of the file are. [`site`](fn@site) says what may stand at a place. Both read the text piece by piece with the
//! block tables in hand, and neither judges it: errors are what [`load`](crate::load) finds.

mod lex;
mod reader;
mod rules;
mod values;

use std::ops::Range;

use coec_ir::Figure;
use coec_ir::table::{Field, MODEL, TRAIN, Table};

use lex::lexemes;
use reader::Reader;

/// What stands where in a text.
#[derive(Debug, Clone, Default)]
pub struct Outline {
    /// The tokens, in order. White space, and nothing else, stands between them.
    pub tokens: Vec<Token>,
    /// The items of the file, in order.
    pub items: Vec<Item>,
    /// Brackets with what is between them, by where they open.
    pub brackets: Vec<Range<usize>>,
}

/// A token, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Token {
    /// Its first byte.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
    /// What it is.
    pub role: Role,
}

/// What a token is.
#[derive(Debug, Clone, Copy)]
pub enum Role {
    /// A word that shapes the text: `model`, `extends`, `warn`, `per`.
    Keyword,
    /// The name of a model: where it is declared, or in front of a budget or a training.
    Model {
        /// Whether it is declared here.
        declared: bool,
    },
    /// The name of a value.
    Let {
        /// Whether it is given here.
        declared: bool,
    },
    /// The name of a field in a block, `model` and `train` included.
    Field(&'static Table, &'static Field),
    /// The word of a block.
    Block(&'static Table),
    /// A word that is the value of a field.
    Word(&'static Field),
    /// `true`, `false` or `none`, where no field says more.
    Constant,
    /// A figure.
    Figure(Figure),
    /// The condition of a rule.
    Condition,
    /// What a condition of a rule says.
    Setting,
    /// The dotted name of a field.
    Path,
    /// A number.
    Number,
    /// A string.
    Text,
    /// A string that names another spec.
    Spec,
    /// A comment; whether it is kept as a model's description.
    Comment(bool),
    /// A bracket, a comma, an operator.
    Mark,
    /// A word without a meaning here.
    Unknown,
}

/// What an item of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// `model NAME { }`.
    Model,
    /// `budget { }`.
    Budget,
    /// `train { }`.
    Train,
    /// `sweep { }`.
    Sweep,
    /// `let NAME = value`.
    Let,
    /// A block that is all of a file.
    Block,
}

/// An item of a file, in bytes.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// Its name, if it has one.
    pub name: Option<Range<usize>>,
    /// The string behind `extends`.
    pub extends: Option<Range<usize>>,
    /// From its first word to its end.
    pub range: Range<usize>,
    /// Its fields, rules or axes, in order.
    pub parts: Vec<Part>,
}

/// A field of a model, a rule of a budget, an axis of a sweep, in bytes.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its name with its index, or its figure.
    pub name: Range<usize>,
    /// All of it.
    pub range: Range<usize>,
}

/// A place where something may be typed.
#[derive(Debug, Clone)]
pub struct Site {
    /// What has been typed of it, in bytes: empty between tokens.
    pub typed: Range<usize>,
    /// What takes the place of what is chosen: what has been typed, and all of a string that is closed.
    pub replaced: Range<usize>,
    /// Whether it is an element of a list.
    pub in_list: bool,
    /// What may stand here.
    pub wants: Wants,
    /// The blocks around it, the innermost last.
    pub calls: Vec<Call>,
    /// The item around it, by its place among [`Outline::items`].
    pub item: Option<usize>,
}

/// What may stand at a place.
#[derive(Debug, Clone)]
pub enum Wants {
    /// An item of the file.
    Item,
    /// The name of a model.
    Model,
    /// A name of one's own, or anything that has no list.
    Anything,
    /// What follows the name of a model: `extends`, a brace.
    Head,
    /// Which layers a field is for.
    Index,
    /// A field of a block in braces.
    Field(&'static Table),
    /// A field of a block with its key, or the value of this one without.
    Argument(Option<&'static Field>),
    /// The value of a field; of none, that of a `let`.
    Value(Option<&'static Field>),
    /// The name of another spec.
    Spec,
    /// A figure, in front of a comparison.
    Figure,
    /// A comparison behind a figure.
    Comparison,
    /// What a figure is compared with.
    Target(Option<Figure>),
    /// A condition of a rule.
    Condition(Option<Figure>),
    /// What this condition says, by its name.
    Setting(String),
    /// What a sweep goes through.
    Axis,
    /// The dotted name of a field.
    Path,
    /// `under`, behind a field that is fitted.
    Under,
}

/// A block around a place.
#[derive(Debug, Clone)]
pub struct Call {
    /// The tables of its word: several only where a `let` leaves open what it is for.
    pub tables: Vec<&'static Table>,
    /// The fields that have been given before the place, in order.
    pub given: Vec<&'static str>,
    /// The field whose value the place is in or before.
    pub active: Option<&'static str>,
    /// Where its word begins.
    pub start: usize,
}

impl Outline {
    /// Reads a text.
    pub fn of(text: &str) -> Self {
        let mut reader = Reader::new(text, lexemes(text), None);
        reader.file();
        reader.finish().0
    }

    /// The token at a byte: of two that meet there, the one that is a word.
    pub fn token_at(&self, at: usize) -> Option<&Token> {
        let behind = self.tokens.partition_point(|token| token.start <= at);
        let token = self.tokens[..behind].last().filter(|token| at <= token.end)?;
        let before = behind.checked_sub(2).map(|before| &self.tokens[before]);
        match (before, token.role) {
            (Some(before), Role::Mark) if before.end == at => Some(before),
            _ => Some(token),
        }
    }

    /// The brackets around a token, or around an empty place, in no order.
    pub fn brackets_around(&self, place: Range<usize>) -> impl Iterator<Item = &Range<usize>> {
        self.brackets.iter().filter(move |range| range.start < place.start && place.end < range.end)
    }

    /// The item around a byte, by its place.
    pub fn item_at(&self, at: usize) -> Option<usize> {
        self.items.iter().position(|item| item.range.start <= at && at <= item.range.end)
    }
}

/// What may stand at a byte of a text; `None` inside a comment. Directly behind a number or a string that is
/// [`Wants::Anything`].
pub fn site(text: &str, at: usize) -> Option<Site> {
    let lexemes = lexemes(text);
    let touched = lexemes.iter().find(|lexeme| lexeme.start < at && at <= lexeme.end).copied();
    let between = (at..at, at..at);
    let mut is_over = false;
    let (typed, replaced) = match touched {
        None => between,
        Some(lexeme) => {
            let whole = &text[lexeme.start..lexeme.end];
            let is_closed = lexeme.kind == lex::Kind::Text && whole.len() > 1 && whole.ends_with('"');
            is_over = lexeme.kind == lex::Kind::Number || is_closed && at == lexeme.end;
            match lexeme.kind {
                // Behind `*/` something may stand again.
                lex::Kind::Comment if lexeme.end == at && whole.ends_with("*/") => between,
                lex::Kind::Comment => return None,
                lex::Kind::Text if is_closed => (lexeme.start..at, lexeme.start..lexeme.end),
                lex::Kind::Word | lex::Kind::Text | lex::Kind::Number => (lexeme.start..at, lexeme.start..at),
                _ => between,
            }
        }
    };
    let mut reader = Reader::new(text, lexemes, Some((typed, replaced)));
    reader.file();
    let site = reader.finish().1?;
    Some(if is_over {
        Site { typed: at..at, replaced: at..at, wants: Wants::Anything, ..site }
    } else {
        site
    })
}

/// The field of a dotted name, as `ffn.k` or `train.optimizer.lr`, with its block; of several blocks that have one of
/// the name, the first.
pub fn field_of_path(path: &str) -> Option<(&'static Table, &'static Field)> {
    let (outer, rest) = match path.strip_prefix("train.") {
        Some(rest) => (&TRAIN, rest),
        None => (&MODEL, path),
    };
    let find = |table: &'static Table, name: &str| Some((table, &table.fields[table.position(name)?]));
    let mut names = rest.split('.');
    let first = find(outer, names.next()?)?;
    names.try_fold(first, |(_, field), name| field.tables().iter().find_map(|table| find(table, name)))
}

#[cfg(test)]
mod tests;
