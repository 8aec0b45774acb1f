//! What a file says, before anyone asks what it means.

use crate::source::Span;

/// The items of one file, in order.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub models: Vec<Model>,
    pub budgets: Vec<Budget>,
    pub trains: Vec<Train>,
    pub sweeps: Vec<Sweep>,
    pub lets: Vec<Let>,
    pub blocks: Vec<BareBlock>,
    /// Whether there are items that could not be read at all, whose names nobody knows.
    pub broken: bool,
}

/// `model name extends "path" { fields }`.
#[derive(Debug)]
pub(crate) struct Model {
    pub doc: String,
    pub name: Name,
    pub extends: Option<Text>,
    pub fields: Vec<Field>,
    /// Whether some of it could not be read.
    pub broken: bool,
}

/// `budget name { rules }`.
#[derive(Debug)]
pub(crate) struct Budget {
    pub name: Option<Name>,
    pub rules: Vec<Rule>,
}

/// `train name { fields }`.
#[derive(Debug)]
pub(crate) struct Train {
    /// The word `train`.
    pub at: Span,
    pub name: Option<Name>,
    pub fields: Vec<Field>,
    /// Whether some of it could not be read.
    pub broken: bool,
}

/// `sweep { axes }`.
#[derive(Debug)]
pub(crate) struct Sweep {
    /// The word `sweep`.
    pub at: Span,
    pub axes: Vec<Axis>,
}

/// What a sweep goes through.
#[derive(Debug)]
pub(crate) enum Axis {
    /// `ffn.k = [2, 4] with ffn.iter = 8 / ffn.k`.
    Values { path: Name, value: Value, derived: Vec<Derived> },
    /// `fit ffn.hidden under flops.forward == 3M`.
    Fitted { path: Name, rule: Rule },
}

/// `with ffn.iter = 8 / ffn.k`.
#[derive(Debug)]
pub(crate) struct Derived {
    pub path: Name,
    pub formula: Formula,
}

/// A sum of products, each product with its sign in front.
#[derive(Debug)]
pub(crate) struct Formula {
    pub terms: Vec<(Sign, Vec<(Power, Factor)>)>,
    pub span: Span,
}

/// Whether a product is added or taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

/// Whether a factor multiplies or divides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    Times,
    Over,
}

/// `8`, `ffn.k`.
#[derive(Debug)]
pub(crate) enum Factor {
    Number(Number),
    Field(Name),
}

/// `let name = value`.
#[derive(Debug)]
pub(crate) struct Let {
    pub name: Name,
    pub value: Value,
}

/// A block call at the top level.
#[derive(Debug)]
pub(crate) struct BareBlock {
    pub doc: String,
    pub value: Value,
}

/// An identifier.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub text: String,
    pub span: Span,
}

/// A string, escapes resolved.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub text: String,
    pub span: Span,
}

/// A number, as written.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    pub text: String,
    pub span: Span,
}

/// `name[index] = value`.
#[derive(Debug)]
pub(crate) struct Field {
    pub name: Name,
    pub index: Option<Index>,
    pub value: Value,
}

/// Which layers a field is for.
#[derive(Debug)]
pub(crate) struct Index {
    pub kind: IndexKind,
    pub span: Span,
}

#[derive(Debug)]
pub(crate) enum IndexKind {
    One(Number),
    Range(Number, Number),
    Every(Number),
}

/// Anything on the right of a `=`.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub kind: ValueKind,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub(crate) enum ValueKind {
    Number(String),
    Text(String),
    List(Vec<Value>),
    Word(Word),
    /// Nothing that can be told; what is wrong with it has been said.
    Unknown,
}

/// `name` or `name(args)`.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    pub name: Name,
    pub args: Option<Vec<Arg>>,
}

/// `value` or `key=value`.
#[derive(Debug, Clone)]
pub(crate) struct Arg {
    pub key: Option<Name>,
    pub value: Value,
}

/// One line of a budget.
#[derive(Debug)]
pub(crate) struct Rule {
    pub span: Span,
    pub warn: bool,
    pub figure: Name,
    pub comparison: coec_ir::Comparison,
    pub target: Target,
    pub tolerance: Option<Number>,
    /// The words `per layer`.
    pub per_layer: Option<Span>,
    pub conditions: Vec<(Name, Value)>,
}

#[derive(Debug)]
pub(crate) enum Target {
    Number(Number),
    Figure { figure: Name, spec: Option<Text> },
}

/// `path = value`, from a `--set` argument.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub path: Vec<Name>,
    pub value: Value,
}

impl Value {
    /// How messages call it: "a number", "the word `inner`".
    pub fn describe(&self) -> String {
        match &self.kind {
            ValueKind::Number(text) => format!("the number `{}`", crate::suggest::shown(text)),
            ValueKind::Text(_) => "a string".into(),
            ValueKind::List(_) => "a list".into(),
            ValueKind::Unknown => "an unknown value".into(),
            ValueKind::Word(word) if word.args.is_some() => {
                format!("the block `{}(...)`", crate::suggest::shown(&word.name.text))
            }
            ValueKind::Word(word) => format!("the word `{}`", crate::suggest::shown(&word.name.text)),
        }
    }

    /// How many values there are in it, itself included.
    pub fn size(&self) -> usize {
        1 + match &self.kind {
            ValueKind::Number(_) | ValueKind::Text(_) | ValueKind::Unknown => 0,
            ValueKind::List(values) => values.iter().map(Value::size).sum(),
            ValueKind::Word(word) => word.args.iter().flatten().map(|arg| arg.value.size()).sum(),
        }
    }

    /// The part messages about the whole point at: a block's name rather than all its arguments.
    pub fn head(&self) -> Span {
        match &self.kind {
            ValueKind::Word(word) => word.name.span,
            _ => self.span,
        }
    }
}
