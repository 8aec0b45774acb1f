//! Plain values: numbers with their units, words, strings.

use coec_ir::table::{self, Default, Kind, Table, Value as Known};
use coec_ir::{ParseQuantityError, Quantity};

use super::{Call, Cx};
use crate::ast::{Name, Value, ValueKind};
use crate::error::ResolveError;
use crate::source::Span;
use crate::suggest;

/// A whole number or a list of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Counts {
    One(usize),
    List(Vec<usize>),
}

impl<'a> Cx<'a> {
    /// A whole number or a list of them. `None` after an error, which has been reported.
    pub fn counts_of(&mut self, name: &str, value: &Value) -> Option<Counts> {
        let value = self.follow(value)?;
        let ValueKind::List(values) = &value.kind else {
            return self.count_of(name, value).map(Counts::One);
        };
        let mut counts = Vec::with_capacity(values.len());
        for value in values {
            counts.push(self.count_of(name, value));
        }
        counts.into_iter().collect::<Option<_>>().map(Counts::List)
    }

    /// A whole number.
    pub fn count_of(&mut self, name: &str, value: &Value) -> Option<usize> {
        let value = self.follow(value)?;
        let ValueKind::Number(text) = &value.kind else {
            self.wrong_kind(name, "a whole number", value);
            return None;
        };
        let quantity = self.quantity(text, value.span)?;
        if quantity.is_bytes() {
            self.bytes_unit(name, text, value.span);
        } else if quantity.is_percent() {
            self.wrong_kind(name, "a whole number", value);
        } else if quantity.to_integer().is_none() {
            let number = suggest::shown(text);
            self.found.push(ResolveError::NotAnInteger { field: name.into(), number, at: value.span });
        } else {
            let n = quantity.to_u64().and_then(|n| usize::try_from(n).ok());
            if n.is_none() {
                let number = suggest::shown(text);
                self.found.push(ResolveError::NumberOutOfRange { number, at: value.span });
            }
            return n;
        }
        None
    }

    /// A number.
    pub fn real_of(&mut self, name: &str, value: &Value) -> Option<f64> {
        let value = self.follow(value)?;
        let ValueKind::Number(text) = &value.kind else {
            self.wrong_kind(name, "a number", value);
            return None;
        };
        let quantity = self.quantity(text, value.span)?;
        if quantity.is_bytes() {
            self.bytes_unit(name, text, value.span);
            None
        } else if quantity.is_percent() {
            self.wrong_kind(name, "a number", value);
            None
        } else {
            Some(quantity.to_f64())
        }
    }

    /// Two numbers.
    pub fn pair_of(&mut self, name: &str, value: &Value) -> Option<[f64; 2]> {
        let value = self.follow(value)?;
        let ValueKind::List(values) = &value.kind else {
            self.wrong_kind(name, "a list of 2 numbers", value);
            return None;
        };
        let [first, second] = values.as_slice() else {
            let (field, found) = (name.to_string(), values.len());
            self.found.push(ResolveError::ListLength { field, expected: 2, found, at: value.span });
            return None;
        };
        let (first, second) = (self.real_of(name, first), self.real_of(name, second));
        Some([first?, second?])
    }

    /// The elements of a list, each read by `of`; another value is not `expected`.
    pub fn list_of<T>(
        &mut self,
        name: &str,
        expected: &str,
        value: &Value,
        mut of: impl FnMut(&mut Self, &Value) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = self.follow(value)?;
        let ValueKind::List(values) = &value.kind else {
            self.wrong_kind(name, expected, value);
            return None;
        };
        // Every element, so that one error hides no other.
        let elements: Vec<_> = values.iter().map(|value| of(self, value)).collect();
        elements.into_iter().collect()
    }

    /// A number of steps or a share of them: `100`, `10%`, `0.1`.
    pub fn amount_of(&mut self, name: &str, value: &Value) -> Option<Known> {
        let value = self.follow(value)?;
        let ValueKind::Number(text) = &value.kind else {
            self.wrong_kind(name, "a number of steps or a percentage", value);
            return None;
        };
        let quantity = self.quantity(text, value.span)?;
        // A number written with a point and no unit is a share, so that `1.0` is all and `1` one step.
        let plain = text.ends_with(|c: char| c.is_ascii_digit());
        if quantity.is_percent() || (text.contains('.') && plain) || quantity.to_integer().is_none() {
            return Some(Known::Real(quantity.to_f64()));
        }
        self.count_of(name, value).map(Known::Count)
    }

    /// `true` or `false`.
    pub fn flag_of(&mut self, name: &str, value: &Value) -> Option<bool> {
        let value = self.follow(value)?;
        match &value.kind {
            _ if is_word(value, "true") => Some(true),
            _ if is_word(value, "false") => Some(false),
            ValueKind::Word(word) if word.args.is_none() => {
                self.unknown_word("truth value", vec!["true", "false"], &word.name);
                None
            }
            _ => {
                self.wrong_kind(name, "`true` or `false`", value);
                None
            }
        }
    }

    /// A string.
    pub fn text_of(&mut self, name: &str, value: &Value) -> Option<String> {
        let value = self.follow(value)?;
        match &value.kind {
            ValueKind::Text(text) => Some(text.clone()),
            _ => {
                self.wrong_kind(name, "a string", value);
                None
            }
        }
    }

    /// A string that names one of a few things, which messages call `what`.
    pub fn name_of(&mut self, field: &str, names: &[&str], what: &str, value: &Value) -> Option<String> {
        let name = self.text_of(field, value)?;
        if names.contains(&name.as_str()) {
            return Some(name);
        }
        self.found.push(ResolveError::UnknownWord {
            word: suggest::shown(&name),
            what: what.into(),
            suggestion: suggest::nearest(&name, names.iter().copied()).map(str::to_string),
            candidates: names.iter().map(|name| (*name).to_string()).collect(),
            at: value.span,
        });
        None
    }

    /// One of these words.
    pub fn word_of(&mut self, name: &str, words: Vec<&'static str>, value: &Value) -> Option<&'static str> {
        // A word that is a field's name too may be a let's. Where it is a word, it means itself.
        let is_meant = words.iter().any(|word| is_word(value, word));
        let value = if is_meant { value } else { self.follow(value)? };
        match &value.kind {
            ValueKind::Word(word) if word.args.is_none() => {
                let one = words.iter().copied().find(|one| *one == word.name.text);
                if one.is_none() && name == "gate" && word.name.text == "shared" {
                    self.found.push(ResolveError::GateShared { at: word.name.span });
                } else if one.is_none() {
                    self.unknown_word(name, words, &word.name);
                }
                one
            }
            _ => {
                self.wrong_kind(name, &suggest::either(&words), value);
                None
            }
        }
    }

    /// A field that holds one of several blocks.
    pub fn block<'v>(&mut self, call: &Call<'v>, name: &str) -> Option<Call<'v>>
    where
        'a: 'v,
    {
        let (field, value) = call.field(name)?;
        let Kind::Block(tables) = field.kind else { return None };
        let (word, preset) = match (value, field.default) {
            (Some(value), _) => return self.bind(name, tables, value),
            (None, Default::Word(word)) => (word, &[][..]),
            (None, Default::Preset(word, preset)) => (word, preset),
            (None, _) => return None,
        };
        let table = tables.iter().find(|table| table.word == word)?;
        Some(Call { preset, ..Call::bare(table, call.at) })
    }

    /// A field that holds `none`, a block, or a list of blocks.
    pub fn blocks<'v>(&mut self, call: &Call<'v>, name: &str) -> Option<Vec<Call<'v>>>
    where
        'a: 'v,
    {
        let (field, value) = call.field(name)?;
        let Kind::Blocks(tables) = field.kind else { return None };
        let Some(value) = value else {
            let Default::Word(word) = call.table.default(field) else { return Some(Vec::new()) };
            let alone = tables.iter().find(|table| table.word == word);
            return Some(alone.map(|table| Call::bare(table, call.at)).into_iter().collect());
        };
        let value = self.follow(value)?;
        match &value.kind {
            _ if is_word(value, "none") => Some(Vec::new()),
            ValueKind::List(values) => {
                let calls: Vec<_> = values.iter().map(|value| self.bind(name, tables, value)).collect();
                calls.into_iter().collect()
            }
            _ => self.bind(name, tables, value).map(|call| vec![call]),
        }
    }

    /// A number with its unit.
    pub fn quantity(&mut self, text: &str, at: Span) -> Option<Quantity> {
        let number = || suggest::shown(text);
        if text.starts_with('-') {
            self.found.push(ResolveError::NegativeNumber { number: number(), at });
            return None;
        }
        let error = match Quantity::parse(text) {
            Ok(quantity) => return Some(quantity),
            Err(ParseQuantityError::Malformed | ParseQuantityError::UnknownUnit) => {
                ResolveError::UnknownUnit { number: number(), at }
            }
            Err(ParseQuantityError::OutOfRange) => ResolveError::NumberOutOfRange { number: number(), at },
        };
        self.found.push(error);
        None
    }

    /// Reports a unit of bytes on something else.
    pub fn bytes_unit(&mut self, field: &str, number: &str, at: Span) {
        let (field, number) = (field.to_string(), suggest::shown(number));
        self.found.push(ResolveError::BytesUnit { field, number, at });
    }

    /// Reports a value of the wrong kind; a name nobody knows is taken for a misspelled `let`.
    pub fn wrong_kind(&mut self, field: &str, expected: &str, value: &Value) {
        if let ValueKind::Word(word) = &value.kind
            && word.args.is_none()
            && !table::is_word(&word.name.text)
            && let Some(near) = self.nearest_let(&word.name)
        {
            let (word, at) = (suggest::shown(&word.name.text), word.name.span);
            let (what, candidates) = ("value that was named with `let`".into(), Vec::new());
            return self.found.push(ResolveError::UnknownWord {
                word,
                what,
                suggestion: Some(near),
                candidates,
                at,
            });
        }
        let (field, expected) = (field.to_string(), expected.to_string());
        let at = value.head();
        self.found.push(ResolveError::WrongKind { field, expected, found: value.describe(), at });
    }

    /// Reports a word that means nothing here.
    pub fn unknown_word(&mut self, what: &str, words: Vec<&'static str>, name: &Name) {
        let suggestion = if self.found.is_full() {
            None
        } else {
            let word = suggest::nearest(&name.text, words.iter().copied()).map(str::to_string);
            word.or_else(|| self.nearest_let(name))
        };
        self.found.push(ResolveError::UnknownWord {
            word: suggest::shown(&name.text),
            what: what.into(),
            suggestion,
            candidates: words.into_iter().map(str::to_string).collect(),
            at: name.span,
        });
    }

    fn nearest_let(&self, name: &Name) -> Option<String> {
        // More names than anybody reads would only take time.
        const MOST: usize = 1000;
        if self.found.is_full() {
            return None;
        }
        let unit = self.scopes.of(name.span.source)?;
        suggest::nearest(&name.text, unit.bindings().take(MOST)).map(str::to_string)
    }

    /// The call of a block that stands in braces, from the values of its fields.
    pub fn braces<'v>(
        &mut self,
        table: &'static Table,
        at: Span,
        args: Vec<Option<&'v Value>>,
        lost: Vec<usize>,
    ) -> Call<'v> {
        let call = Call { table, at, args, preset: &[], lost };
        self.check_required(&call);
        call
    }
}

/// Whether a value is a bare word.
pub(crate) fn is_word(value: &Value, word: &str) -> bool {
    matches!(&value.kind, ValueKind::Word(w) if w.args.is_none() && w.name.text == word)
}
