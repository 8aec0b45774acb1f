//! The words of the language: every block with its fields, what they hold, and what they hold when
//! left out.
//!
//! One [`Table`] stands for one block, in the file of this folder that is named after it, beside
//! the rules that its fields obey together. Everything that knows the language knows it from here:
//! the front end reads text by the tables, [`text`](crate::text) writes it, verification takes
//! the bounds of numbers, differences the names of fields, and random models their values.
//!
//! A field that is added to a struct of the IR does not compile until the struct's table has it.

mod attention;
mod ffn;
mod model;
mod tabled;
mod train;
mod value;

pub use model::{ATTENTION, FFN, LOOP, MODEL, head, loops, with_layers};
pub use tabled::{Described, Tabled};
pub use train::{BUILTINS, TRAIN};
pub(crate) use value::Held;
pub use value::{Block, Value, string};

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::Bounds;

/// A block: `word(fields)`, or `model` and `train` with braces.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its word.
    pub word: &'static str,
    /// Its fields, in the order of the language reference, those in `fixed` included.
    pub fields: &'static [Field],
    /// Fields that this word decides, with their values: they cannot be given.
    pub fixed: &'static [(&'static str, Default)],
    /// How many of the first fields may be given without a key.
    pub positional: usize,
    /// How many of the first fields are written without a key.
    pub bare: usize,
    /// What it looks like with the fields that it cannot be without; empty if there are none.
    pub example: &'static str,
}

/// A field of a block.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it holds when left out.
    pub default: Default,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A whole number.
    Count(Bounds),
    /// A whole number or `none`.
    OptionalCount(Bounds),
    /// A whole number for all, or a list with one for each of what another field counts.
    Counts(Bounds, &'static str),
    /// A number.
    Real(Bounds),
    /// A list of two numbers.
    Pair(Bounds),
    /// A list of numbers.
    Reals(Bounds),
    /// A number of steps, or a share of them.
    Amount,
    /// `true` or `false`.
    Flag,
    /// A string.
    Text,
    /// A string, or a list of them.
    Texts,
    /// One of these strings; and what they name.
    Name(&'static [&'static str], &'static str),
    /// One of these words.
    Word(fn() -> Vec<&'static str>),
    /// A list of some of these words; `false` is none of them, and `true` the usual ones.
    Words(fn() -> Vec<&'static str>),
    /// One of these blocks.
    Block(&'static [Table]),
    /// `none`, one of these blocks, or a list of them.
    Blocks(&'static [Table]),
}

/// What a field holds when it is left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Default {
    /// It cannot be left out.
    Required,
    /// Nothing: the field is optional.
    Nothing,
    /// What another field of the block holds.
    Like(&'static str),
    /// What the first, a field of the model, leaves for each of the second, a field of the block.
    Share(&'static str, &'static str),
    /// What this field of the model holds.
    OfModel(&'static str),
    /// A whole number.
    Count(usize),
    /// A whole number, unless one of these fields is given.
    CountUnless(usize, &'static [&'static str]),
    /// A number.
    Real(f64),
    /// A pair of numbers.
    Pair([f64; 2]),
    /// A share of all steps.
    Steps(f64),
    /// A truth value.
    Flag(bool),
    /// A string.
    Text(&'static str),
    /// A word, or a block with its own defaults.
    Word(&'static str),
    /// A block with numbers of its fields that differ from the block's own defaults.
    Preset(&'static str, &'static [(&'static str, f64)]),
}

impl Table {
    /// A block that has no fields yet; they follow, see [`Tabled`].
    pub const fn new(word: &'static str) -> Self {
        Self { word, fields: &[], fixed: &[], positional: 0, bare: 0, example: "" }
    }

    /// The same with these fields.
    pub(crate) const fn fields(self, fields: &'static [Field]) -> Self {
        Self { fields, ..self }
    }

    /// The same with some fields decided.
    pub(crate) const fn fixing(self, fixed: &'static [(&'static str, Default)]) -> Self {
        Self { fixed, ..self }
    }

    /// The same with its first fields readable without a key.
    pub(crate) const fn positional(self, positional: usize) -> Self {
        Self { positional, ..self }
    }

    /// The same with its first fields read and written without a key.
    pub(crate) const fn bare(self, bare: usize) -> Self {
        Self { positional: bare, bare, ..self }
    }

    /// The same with what it looks like.
    pub(crate) const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    /// The block with the least value in each field, to stand in where a value is not known.
    pub fn least(&'static self) -> Block {
        Block { table: self, values: self.fields.iter().map(|field| field.kind.least()).collect() }
    }

    /// The fields that can be given.
    pub fn open(&self) -> impl Iterator<Item = &'static Field> + Clone + use<> {
        let fixed = self.fixed;
        self.fields.iter().filter(move |field| fixed.iter().all(|(name, _)| *name != field.name))
    }

    /// The place among all fields of one that can be given.
    pub fn position(&self, name: &str) -> Option<usize> {
        let is_fixed = self.fixed.iter().any(|(fixed, _)| *fixed == name);
        self.fields.iter().position(|field| field.name == name && !is_fixed)
    }

    /// What a field holds when left out, or always.
    pub fn default(&self, field: &Field) -> Default {
        let fixed = self.fixed.iter().find(|(name, _)| *name == field.name);
        fixed.map_or(field.default, |(_, value)| *value)
    }
}

impl Field {
    /// A field.
    pub(crate) const fn new(name: &'static str, kind: Kind, default: Default) -> Self {
        Self { name, kind, default }
    }

    /// The blocks it may hold.
    pub fn tables(&self) -> &'static [Table] {
        match self.kind {
            Kind::Block(tables) | Kind::Blocks(tables) => tables,
            _ => &[],
        }
    }
}

impl Kind {
    /// The least value; `None` where there may be none.
    pub fn least(self) -> Option<Value> {
        Some(match self {
            Self::Count(bounds) => Value::Count(bounds.min as usize),
            Self::OptionalCount(_) => Value::Word("none"),
            Self::Counts(bounds, _) => Value::List(vec![Value::Count(bounds.min as usize)]),
            Self::Real(bounds) => Value::Real(bounds.min),
            Self::Pair(bounds) => Value::List(vec![Value::Real(bounds.min); 2]),
            Self::Amount => Value::Count(0),
            Self::Flag => Value::Flag(false),
            Self::Reals(_) => Value::List(Vec::new()),
            Self::Text => Value::Text(String::new()),
            Self::Texts => Value::List(Vec::new()),
            Self::Name(names, _) => Value::Text((*names.first()?).into()),
            Self::Word(words) => Value::Word(words().first()?),
            Self::Words(_) => Value::Flag(false),
            Self::Block(tables) => Value::Block(tables.first()?.least()),
            Self::Blocks(_) => Value::List(Vec::new()),
        })
    }
}

/// Every block that stands inside another, each once.
pub fn all() -> &'static [&'static Table] {
    static ALL: LazyLock<Vec<&'static Table>> = LazyLock::new(|| {
        let mut found: Vec<&'static Table> = Vec::new();
        let mut open = vec![&MODEL, &TRAIN];
        while let Some(table) = open.pop() {
            for inner in table.fields.iter().flat_map(Field::tables) {
                let is_known = |other: &&Table| other.word == inner.word && names(other).eq(names(inner));
                if !found.iter().any(is_known) {
                    found.push(inner);
                    open.push(inner);
                }
            }
        }
        found
    });
    &ALL
}

fn names(table: &Table) -> impl Iterator<Item = &'static str> {
    table.fields.iter().map(|field| field.name)
}

/// The place of a field in the blocks of a word, where one has it. Blocks that share a word share
/// no name of a field.
pub fn position(word: &str, field: &str) -> Option<usize> {
    let mut tables = all().iter().filter(|table| table.word == word);
    tables.find_map(|table| table.position(field))
}

/// Whether a word has a meaning somewhere, so that no `let` may take it. Names of fields may be taken, of
/// words those that a field has too, as `experts` and `layers`: they mean themselves where they are words.
pub fn is_word(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        let mut words: HashSet<&str> = all().iter().map(|table| table.word).collect();
        words.extend(["none", "true", "false"]);
        let tables = || all().iter().copied().chain([&MODEL, &TRAIN]);
        let is_field = |word: &&str| tables().any(|table| names(table).any(|name| name == *word));
        for field in tables().flat_map(|table| table.fields) {
            if let Kind::Word(all) = field.kind {
                words.extend(all().into_iter().filter(|word| !is_field(word)));
            }
        }
        words
    });
    WORDS.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> impl Iterator<Item = &'static Table> {
        all().iter().copied().chain([&MODEL, &TRAIN])
    }

    #[test]
    fn a_word_and_a_field_name_one_block() {
        let fields = all().iter().flat_map(|table| table.open().map(|field| (table.word, field.name)));
        let mut fields: Vec<_> = fields.collect();
        let all = fields.len();
        fields.sort_unstable();
        fields.dedup();
        assert_eq!(fields.len(), all);
    }

    #[test]
    fn a_field_has_one_block_of_a_word() {
        for field in everything().flat_map(|table| table.fields) {
            let mut words: Vec<_> = field.tables().iter().map(|table| table.word).collect();
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), field.tables().len(), "{}", field.name);
        }
    }

    #[test]
    fn every_default_fits_its_kind() {
        for table in everything() {
            assert!(table.positional <= table.fields.len());
            for field in table.fields {
                let fits = match (field.kind, table.default(field)) {
                    (_, Default::Required | Default::Nothing) => true,
                    (_, Default::Like(other)) => names(table).any(|name| name == other),
                    (_, Default::Share(whole, parts)) => {
                        MODEL.position(whole).is_some() && names(table).any(|name| name == parts)
                    }
                    (_, Default::OfModel(other)) => MODEL.position(other).is_some(),
                    (Kind::Count(bounds) | Kind::Counts(bounds, _), Default::Count(n)) => {
                        (bounds.min..=bounds.max).contains(&(n as f64))
                    }
                    (Kind::Count(bounds), Default::CountUnless(n, others)) => {
                        (bounds.min..=bounds.max).contains(&(n as f64))
                            && others.iter().all(|other| names(table).any(|name| name == *other))
                    }
                    (Kind::OptionalCount(_), Default::Word("none")) => true,
                    (Kind::Real(bounds), Default::Real(x)) => (bounds.min..=bounds.max).contains(&x),
                    (Kind::Pair(_), Default::Pair(_)) => true,
                    (Kind::Amount, Default::Steps(_)) => true,
                    (Kind::Flag | Kind::Words(_), Default::Flag(_)) => true,
                    (Kind::Text, Default::Text(_)) => true,
                    (Kind::Name(names, _), Default::Text(name)) => names.contains(&name),
                    (Kind::Word(words), Default::Word(word)) => words().contains(&word),
                    (Kind::Block(tables), Default::Word(word)) => tables.iter().any(|t| t.word == word),
                    (Kind::Block(tables), Default::Preset(word, preset)) => {
                        let table = tables.iter().find(|table| table.word == word).unwrap();
                        preset.iter().all(|(name, _)| {
                            let field = &table.fields[table.position(name).unwrap()];
                            matches!(field.kind, Kind::Real(_))
                        })
                    }
                    (Kind::Blocks(tables), Default::Word(word)) => {
                        word == "none" || tables.iter().any(|table| table.word == word)
                    }
                    _ => false,
                };
                assert!(fits, "{}.{}", table.word, field.name);
                if let Kind::Counts(_, per) = field.kind {
                    assert!(names(table).any(|name| name == per), "{}.{}", table.word, field.name);
                }
            }
        }
    }

    /// So that reading a block never ends with a value missing.
    #[test]
    fn every_table_is_read_by_its_struct() {
        fn reads<R: Tabled>() {
            for table in R::TABLES {
                let read = R::read(&table.least());
                let word = read.unwrap_or_else(|| panic!("{}", table.word)).block().table.word;
                assert!(word == table.word || table.word == "moe");
            }
        }
        reads::<crate::Attention>();
        reads::<crate::Ffn>();
        reads::<crate::Train>();
        for table in all() {
            let holds = |inner: &Table| inner.word == table.word;
            let known = [crate::Attention::TABLES, crate::Ffn::TABLES, &[TRAIN]].concat();
            let inside = known.iter().flat_map(|table| table.fields).flat_map(Field::tables);
            let outside = MODEL.fields.iter().flat_map(Field::tables);
            assert!(inside.chain(outside).any(holds), "{}", table.word);
        }
        reads::<crate::Rope>();
        reads::<crate::Router>();
        reads::<crate::Balance>();
        reads::<crate::Data>();
        reads::<crate::Tokenizer>();
        reads::<crate::Schedule>();
        reads::<crate::Save>();
    }

    #[test]
    fn every_block_that_needs_fields_has_an_example() {
        for table in everything() {
            let needs = table.open().any(|field| field.default == Default::Required);
            assert_eq!(needs, !table.example.is_empty(), "{}", table.word);
        }
    }
}
