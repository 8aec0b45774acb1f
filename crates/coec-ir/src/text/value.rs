//! Values as the language writes them.

use std::fmt;

/// Anything on the right of a `=`, every field of it written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number, a word, a string, with its quotes.
    Plain(String),
    /// `[a, b]`.
    List(Vec<Value>),
    /// `word(name=value, ...)`.
    Block(Block),
}

/// A block in round brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What it is: `coe`, `softmax`.
    pub word: &'static str,
    /// Its fields, in the order of the language reference.
    pub fields: Vec<BlockField>,
}

/// A field of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockField {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: Value,
    /// Whether it is written without its name.
    pub bare: bool,
}

impl Value {
    /// A number or a word.
    pub(super) fn plain(value: impl fmt::Display) -> Self {
        Self::Plain(value.to_string())
    }

    /// A real number: Rust's shortest text that reads back as the same number.
    pub(super) fn real(value: f64) -> Self {
        Self::Plain(format!("{value:?}"))
    }

    /// A string literal, escapes included.
    pub(super) fn string(text: &str) -> Self {
        Self::Plain(string(text))
    }
}

impl Block {
    pub(super) fn new(word: &'static str) -> Self {
        Self { word, fields: Vec::new() }
    }

    /// The same with one more field.
    pub(super) fn with(mut self, name: &'static str, value: Value) -> Self {
        self.fields.push(BlockField { name, value, bare: false });
        self
    }

    /// The same with a field that is written without its name.
    pub(super) fn bare(mut self, name: &'static str, value: Value) -> Self {
        self.fields.push(BlockField { name, value, bare: true });
        self
    }
}

impl From<Block> for Value {
    fn from(block: Block) -> Self {
        Self::Block(block)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => f.write_str(text),
            Self::List(values) => {
                f.write_str("[")?;
                for (i, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Block(block) => block.fmt(f),
        }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word)?;
        if self.fields.is_empty() {
            return Ok(());
        }
        f.write_str("(")?;
        for (i, BlockField { name, value, bare }) in self.fields.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            match bare {
                true => write!(f, "{value}")?,
                false => write!(f, "{name}={value}")?,
            }
        }
        f.write_str(")")
    }
}

/// A string literal of the language, escapes included.
pub fn string(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
