//! Syntax tree to IR: what the words mean, and every default.

pub(crate) mod block;
pub(crate) mod budget;
pub(crate) mod claims;
pub(crate) mod gaps;
pub(crate) mod layers;
pub(crate) mod locate;
pub(crate) mod model;
pub(crate) mod sets;
pub(crate) mod train;
pub(crate) mod value;

use coec_ir::table::{Default, Field, Kind, MODEL, TRAIN, Table};

use crate::ast::{Arg, Name, Value, ValueKind};
use crate::diagnostic::Found;
use crate::error::ResolveError;
use crate::scopes::Scopes;
use crate::source::Span;
use crate::suggest;

/// How many values `let`, `extends` and budgets may copy in one load. Without a limit
/// a small file could name a huge model.
pub(crate) const MAX_EXPANSION: usize = 1_000_000;

/// What may still be copied; `None` once that was too much, which is reported once.
#[derive(Debug)]
pub(crate) struct Fuel(Option<usize>);

impl std::default::Default for Fuel {
    fn default() -> Self {
        Self(Some(MAX_EXPANSION))
    }
}

/// What resolving reads and reports to.
pub(crate) struct Cx<'a> {
    pub scopes: &'a Scopes,
    pub found: &'a mut Found,
    pub fuel: &'a mut Fuel,
}

/// New values of fields from `--set`, by the positions of the fields in their block.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edits(Vec<(usize, Option<Value>)>);

impl Edits {
    /// The new value of a field that was changed: `Some(None)` if it is left out now.
    pub fn get(&self, position: usize) -> Option<Option<&Value>> {
        self.0.iter().find(|(at, _)| *at == position).map(|(_, value)| value.as_ref())
    }

    /// Gives a field a new value, instead of an earlier one.
    pub fn set(&mut self, position: usize, value: Value) {
        self.0.retain(|(at, _)| *at != position);
        self.0.push((position, Some(value)));
    }

    /// Leaves a field out.
    pub fn leave_out(&mut self, position: usize) {
        self.0.retain(|(at, _)| *at != position);
        self.0.push((position, None));
    }

    /// Whether no field was changed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts the new values in the place of the old ones.
    pub fn apply<'v>(&'v self, args: &mut [Option<&'v Value>]) {
        for (position, value) in &self.0 {
            args[*position] = value.as_ref();
        }
    }
}

/// A block with its arguments in the order of its fields.
#[derive(Debug)]
pub(crate) struct Call<'v> {
    pub table: &'static Table,
    /// The word of the block, where messages about missing fields point.
    pub at: Span,
    pub args: Vec<Option<&'v Value>>,
    /// Defaults of numbers that differ from the block's own.
    pub preset: &'static [(&'static str, f64)],
    /// Fields that were given in a way nobody can read, misspelt for instance: they have neither
    /// a value nor their default.
    pub lost: Vec<usize>,
}

impl<'v> Call<'v> {
    /// A block without arguments: every field takes its default.
    pub fn bare(table: &'static Table, at: Span) -> Self {
        Self { table, at, args: vec![None; table.fields.len()], preset: &[], lost: Vec::new() }
    }

    /// A field with what it was given; `None` if it is lost.
    pub fn field(&self, name: &str) -> Option<(&'static Field, Option<&'v Value>)> {
        let position = self.table.fields.iter().position(|field| field.name == name)?;
        let lost = self.args[position].is_none() && self.lost.contains(&position);
        (!lost).then(|| (&self.table.fields[position], self.args[position]))
    }

    /// What a field was given.
    pub fn given(&self, name: &str) -> Option<&'v Value> {
        self.field(name)?.1
    }
}

impl Cx<'_> {
    /// Notes that `n` values are copied; `None` when there are too many.
    pub fn spend(&mut self, n: usize, at: Span) -> Option<()> {
        let left = self.fuel.0?;
        self.fuel.0 = left.checked_sub(n);
        if self.fuel.0.is_none() {
            self.found.push(ResolveError::ExpansionTooLarge { limit: MAX_EXPANSION, at });
        }
        self.fuel.0.map(|_| ())
    }
}

impl<'a> Cx<'a> {
    /// The value a name stands for, or the value itself; `None` if it is not known.
    pub fn follow<'v>(&mut self, value: &'v Value) -> Option<&'v Value>
    where
        'a: 'v,
    {
        let value = match self.scopes.binding(value) {
            Some((target, size)) => {
                self.spend(size, value.span)?;
                target
            }
            None => value,
        };
        let lost = match &value.kind {
            ValueKind::Unknown => true,
            ValueKind::Word(word) => word.args.is_none() && self.scopes.may_be_lost(&word.name),
            _ => false,
        };
        (!lost).then_some(value)
    }

    /// One of the blocks of `tables`, its arguments sorted to its fields.
    pub fn bind<'v>(&mut self, field: &str, tables: &'static [Table], value: &'v Value) -> Option<Call<'v>>
    where
        'a: 'v,
    {
        let value = self.follow(value)?;
        let ValueKind::Word(word) = &value.kind else {
            let words: Vec<_> = tables.iter().map(|table| table.word).collect();
            self.wrong_kind(field, &suggest::either(&words), value);
            return None;
        };
        let Some(table) = tables.iter().find(|table| table.word == word.name.text) else {
            if word.name.text == "expert_choice" {
                self.found.push(ResolveError::ExpertChoice { at: word.name.span });
            } else {
                let words = tables.iter().map(|table| table.word).collect();
                self.unknown_word(field, words, &word.name);
            }
            return None;
        };
        let mut call = Call::bare(table, word.name.span);
        self.bind_args(&mut call, word.args.as_deref().unwrap_or_default());
        Some(call)
    }

    fn bind_args<'v>(&mut self, call: &mut Call<'v>, args: &'v [Arg]) {
        let table = call.table;
        let mut next = 0;
        for arg in args {
            let position = match &arg.key {
                None if next < table.positional => {
                    next += 1;
                    next - 1
                }
                None => {
                    self.too_many(table, arg.value.span);
                    continue;
                }
                Some(key) => match table.position(&key.text) {
                    Some(position) => position,
                    None => {
                        call.lost.extend(self.unknown_field(table, &key.text, key.span, None));
                        continue;
                    }
                },
            };
            let at = arg.key.as_ref().map_or(arg.value.span, |key| key.span);
            if let Some(first) = call.args[position].replace(&arg.value) {
                let name = table.fields[position].name.to_string();
                self.found.push(ResolveError::DuplicateField { name, first: first.span, at });
            }
        }
        self.check_required(call);
    }

    /// Reports fields without a default that were left out.
    pub fn check_required(&mut self, call: &Call) {
        let missing: Vec<_> = std::iter::zip(call.table.fields, &call.args)
            .enumerate()
            .filter(|(i, (field, arg))| {
                call.table.default(field) == Default::Required && arg.is_none() && !call.lost.contains(i)
            })
            .map(|(_, (field, _))| field.name.to_string())
            .collect();
        if !missing.is_empty() {
            self.found.push(ResolveError::MissingField {
                owner: owner(call.table),
                names: missing,
                example: call.table.example.into(),
                at: call.at,
            });
        }
    }

    /// Reports a field that the block of `table` has not; the place of the one that was probably meant.
    pub fn unknown_field(
        &mut self,
        table: &'static Table,
        name: &str,
        at: Span,
        note: Option<String>,
    ) -> Option<usize> {
        let suggestion = suggest::nearest(name, table.open().map(|field| field.name));
        let meant = suggestion.and_then(|name| table.position(name));
        if self.found.is_full() {
            self.found.omit();
            return meant;
        }
        let candidates: Vec<String> = table.open().map(|field| field.name.to_string()).collect();
        let is_fixed = table.fixed.iter().any(|(fixed, _)| *fixed == name);
        let note = note.or_else(|| {
            is_fixed.then(|| "`moe` has one iteration and no fields for several, `coe` has both".into())
        });
        self.found.push(ResolveError::UnknownField {
            name: suggest::shown(name),
            owner: owner(table),
            suggestion: suggestion.map(str::to_string),
            candidates,
            note,
            at,
        });
        meant
    }

    fn too_many(&mut self, table: &'static Table, at: Span) {
        self.found.push(ResolveError::TooManyArguments {
            word: table.word.into(),
            most: table.positional,
            keys: table.open().map(|field| format!("{}=...", field.name)).collect(),
            at,
        });
    }
}

impl Scopes {
    /// Whether a name may be that of a let which errors left without a value.
    fn may_be_lost(&self, name: &Name) -> bool {
        self.of(name.span.source).is_some_and(|unit| unit.may_be_lost(&name.text))
    }

    /// The value that a bare name stands for, with its size, if it is the name of a `let`.
    pub fn binding(&self, value: &Value) -> Option<(&Value, usize)> {
        match &value.kind {
            ValueKind::Word(word) if word.args.is_none() => {
                self.of(word.name.span.source)?.binding(&word.name.text)
            }
            _ => None,
        }
    }
}

/// How messages name a block.
fn owner(table: &Table) -> String {
    match table.word {
        "model" => "a model".into(),
        word => format!("`{word}`"),
    }
}

/// Whether a word is a block's, so that a field of that name was meant elsewhere.
pub(crate) fn home_of_field(name: &str) -> Option<String> {
    for outer in [&MODEL, &TRAIN] {
        let prefix = if outer.word == "train" { "train." } else { "" };
        if outer.word == "train" && outer.position(name).is_some() {
            return Some(format!("train.{name}"));
        }
        // `ffn` first: its fields are the ones most often set.
        for field in outer.fields.iter().rev() {
            let Kind::Block(tables) = field.kind else { continue };
            if tables.iter().any(|table| table.position(name).is_some()) {
                return Some(format!("{prefix}{}.{name}", field.name));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_where_they_live() {
        assert_eq!(home_of_field("k").as_deref(), Some("ffn.k"));
        assert_eq!(home_of_field("heads").as_deref(), Some("attention.heads"));
        assert_eq!(home_of_field("steps").as_deref(), Some("train.steps"));
        assert_eq!(home_of_field("lr").as_deref(), Some("train.optimizer.lr"));
        assert_eq!(home_of_field("banana"), None);
    }
}
