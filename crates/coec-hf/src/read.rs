//! Reading settings, so that none is overlooked.

use std::collections::BTreeSet;

use coec_ir::{Act, Balance, Bounds};
use serde_json::{Map, Value};

use crate::{Family, HfError};

/// Something that a setting says about training, and that the spec may say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The setting.
    pub key: String,
    /// The note.
    pub text: String,
}

/// The name under which an exported `config.json` says how the experts' load is balanced, where the
/// family has no name for it: a list of terms as the IR's JSON writes them.
pub const BALANCE: &str = "coec_balance";

/// A setting as the file gives it.
#[derive(Clone, Copy)]
pub(crate) enum Given<'a> {
    Missing,
    Null,
    Value(&'a Value),
}

/// The settings of a file or of an object inside it. Getters return something in bounds even where
/// they report an error, so that one pass finds every error.
pub(crate) struct Reader<'a> {
    pub family: Family,
    pub map: &'a Map<String, Value>,
    /// What errors put in front of a key: `rope_scaling.`.
    prefix: &'static str,
    asked: BTreeSet<&'static str>,
    pub errors: Vec<HfError>,
    pub notes: Vec<Note>,
    /// Why the weights of the folder are not read, though its settings are.
    pub unread: Option<HfError>,
    /// The tensor of the folder whose columns are to be of length one.
    pub unit_columns: Option<&'static str>,
}

impl<'a> Reader<'a> {
    pub fn new(family: Family, map: &'a Map<String, Value>) -> Self {
        let (errors, notes) = (Vec::new(), Vec::new());
        Self {
            family,
            map,
            prefix: "",
            asked: BTreeSet::new(),
            errors,
            notes,
            unread: None,
            unit_columns: None,
        }
    }

    /// The settings of an object inside this one.
    pub fn inside(&self, map: &'a Map<String, Value>, prefix: &'static str) -> Self {
        Self { prefix, ..Self::new(self.family, map) }
    }

    /// A setting, which is hereby known.
    pub fn given(&mut self, key: &'static str) -> Given<'a> {
        self.asked.insert(key);
        match self.map.get(key) {
            None => Given::Missing,
            Some(Value::Null) => Given::Null,
            Some(value) => Given::Value(value),
        }
    }

    /// Whether a getter has asked for a key.
    pub fn has_asked(&self, key: &str) -> bool {
        self.asked.contains(key)
    }

    /// Every key that a getter has asked for.
    #[cfg(test)]
    pub fn asked(&self) -> impl Iterator<Item = &'static str> {
        self.asked.iter().copied()
    }

    /// Every key of the file that no getter has asked for.
    pub fn unasked(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.map.iter().filter(|(key, _)| !self.has_asked(key))
    }

    fn path(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    pub fn wrong_type(&mut self, key: &str, value: &Value, expected: &'static str) {
        let (key, value) = (self.path(key), shown(value));
        self.errors.push(HfError::WrongType { key, value, expected });
    }

    pub fn out_of_range(&mut self, key: &str, value: &Value, expected: String) {
        let (key, value) = (self.path(key), shown(value));
        self.errors.push(HfError::OutOfRange { key, value, expected });
    }

    pub fn refuse(&mut self, key: &str, value: &Value, why: impl Into<String>, accepted: impl Into<String>) {
        let (key, value) = (self.path(key), shown(value));
        self.errors.push(HfError::Refused { key, value, why: why.into(), accepted: accepted.into() });
    }

    /// Says that a setting is understood, and that the weights of such a folder are not read.
    pub fn leave_weights(&mut self, key: &str, value: &Value, why: &str, accepted: &str) {
        self.note(key, format!("{why}; the weights of such a folder are not read"));
        let (key, value) = (self.path(key), shown(value));
        self.unread.get_or_insert(HfError::Refused {
            key,
            value,
            why: why.into(),
            accepted: accepted.into(),
        });
    }

    pub fn note(&mut self, key: &str, text: impl Into<String>) {
        self.notes.push(Note { key: self.path(key), text: text.into() });
    }

    fn missing(&mut self, key: &str) {
        let key = self.path(key);
        self.errors.push(HfError::Missing { family: self.family, key });
    }

    /// Reports settings that are not there and must be.
    pub fn require(&mut self, keys: &[&'static str]) {
        for key in keys {
            if let Given::Missing = self.given(key) {
                self.missing(key);
            }
        }
    }

    /// A whole number; required where there is no default.
    pub fn count(&mut self, key: &'static str, default: Option<usize>, bounds: Bounds) -> usize {
        match self.given(key) {
            Given::Value(value) => self.whole(key, value, bounds),
            Given::Null => {
                self.wrong_type(key, &Value::Null, "a whole number");
                bounds.min as usize
            }
            Given::Missing => default.unwrap_or_else(|| {
                self.missing(key);
                bounds.min as usize
            }),
        }
    }

    /// A whole number that may be null.
    pub fn count_or_null(
        &mut self,
        key: &'static str,
        default: Option<usize>,
        bounds: Bounds,
    ) -> Option<usize> {
        match self.given(key) {
            Given::Value(value) => Some(self.whole(key, value, bounds)),
            Given::Null => None,
            Given::Missing => default,
        }
    }

    /// A whole number that goes by several names, which must agree. The first is the usual one.
    pub fn count_by_names(&mut self, keys: &[&'static str], default: Option<usize>, bounds: Bounds) -> usize {
        let given: Vec<_> = keys.iter().copied().filter(|key| self.map.contains_key(*key)).collect();
        let Some((&first, others)) = given.split_first() else {
            return self.count(keys[0], default, bounds);
        };
        let count = self.count(first, default, bounds);
        for &key in others {
            if let Given::Value(value) = self.given(key)
                && Some(value) != self.map.get(first)
            {
                let why = format!("it is another name for `{first}`, which says otherwise");
                self.refuse(key, value, why, format!("the value of `{first}`, or none"));
            }
        }
        count
    }

    fn whole(&mut self, key: &str, value: &Value, bounds: Bounds) -> usize {
        let Value::Number(number) = value else {
            self.wrong_type(key, value, "a whole number");
            return bounds.min as usize;
        };
        let inside = number.as_u64().filter(|&n| (bounds.min..=bounds.max).contains(&(n as f64)));
        match inside.map(usize::try_from) {
            Some(Ok(n)) => n,
            _ if number.as_f64().is_some_and(|n| n.fract() != 0.0) || number.is_f64() => {
                self.wrong_type(key, value, "a whole number");
                bounds.min as usize
            }
            _ => {
                self.out_of_range(key, value, range(bounds));
                bounds.min as usize
            }
        }
    }

    /// A number; required where there is no default.
    pub fn real(&mut self, key: &'static str, default: Option<f64>, bounds: Bounds) -> f64 {
        match self.given(key) {
            Given::Value(value) => self.number(key, value, bounds),
            Given::Null => {
                self.wrong_type(key, &Value::Null, "a number");
                bounds.min
            }
            Given::Missing => default.unwrap_or_else(|| {
                self.missing(key);
                bounds.min
            }),
        }
    }

    /// A number, if there is one.
    pub fn real_or_null(&mut self, key: &'static str, bounds: Bounds) -> Option<f64> {
        match self.given(key) {
            Given::Value(value) => Some(self.number(key, value, bounds)),
            Given::Null | Given::Missing => None,
        }
    }

    fn number(&mut self, key: &str, value: &Value, bounds: Bounds) -> f64 {
        match value.as_f64() {
            Some(n) if (bounds.min..=bounds.max).contains(&n) => return n,
            Some(_) => self.out_of_range(key, value, range(bounds)),
            None => self.wrong_type(key, value, "a number"),
        }
        bounds.min
    }

    /// A flag; null is the default.
    pub fn flag(&mut self, key: &'static str, default: bool) -> bool {
        match self.given(key) {
            Given::Value(Value::Bool(flag)) => *flag,
            Given::Value(value) => {
                self.wrong_type(key, value, "true or false");
                default
            }
            Given::Null | Given::Missing => default,
        }
    }

    /// Refuses a flag that is not `only`; null is that.
    pub fn only_flag(&mut self, key: &'static str, only: bool, why: &str) {
        if self.flag(key, only) != only {
            self.refuse(key, &Value::Bool(!only), why, only.to_string());
        }
    }

    /// A flag without a default.
    pub fn required_flag(&mut self, key: &'static str) -> bool {
        if let Given::Missing | Given::Null = self.given(key) {
            self.missing(key);
        }
        self.flag(key, false)
    }

    /// A word; null is the default.
    pub fn word(&mut self, key: &'static str, default: &'a str) -> &'a str {
        match self.given(key) {
            Given::Value(Value::String(word)) => word,
            Given::Value(value) => {
                self.wrong_type(key, value, "a word");
                default
            }
            Given::Null | Given::Missing => default,
        }
    }

    /// Refuses a word that is not `only`.
    pub fn only_word(&mut self, key: &'static str, only: &'static str, why: &str) {
        let word = self.word(key, only);
        if word != only {
            self.refuse(key, &word.into(), why, format!("\"{only}\""));
        }
    }

    /// Refuses a factor that is not 1.
    pub fn only_one(&mut self, key: &'static str, why: &str) {
        if let Given::Value(value) = self.given(key)
            && value.as_f64() != Some(1.0)
        {
            self.refuse(key, value, why, "1.0");
        }
    }

    /// Refuses a setting that is switched on: anything but null, false and 0.
    pub fn off(&mut self, key: &'static str, why: &str) {
        if let Given::Value(value) = self.given(key)
            && !is_off(value)
        {
            let accepted = match value {
                Value::Bool(_) => "false",
                Value::Number(_) => "0",
                _ => "null",
            };
            self.refuse(key, value, why, accepted);
        }
    }

    /// The activation of every expert and MLP.
    pub fn act(&mut self) -> Act {
        match self.word("hidden_act", "silu") {
            "silu" | "swish" => Act::Swiglu,
            "gelu" | "gelu_python" => Act::Geglu,
            other => {
                let why = "the language has no such activation with a gate";
                self.refuse("hidden_act", &other.into(), why, "\"silu\", \"gelu\"");
                Act::Swiglu
            }
        }
    }

    /// A word for each of so many layers: whether it is `yes`, where `no` is the other.
    pub fn kinds(&mut self, key: &'static str, count: usize, [yes, no]: [&str; 2]) -> Option<Vec<bool>> {
        let Given::Value(value) = self.given(key) else { return None };
        let Some(kinds) = value.as_array() else {
            self.wrong_type(key, value, "a list of kinds of layers");
            return None;
        };
        if kinds.iter().any(|kind| kind != yes && kind != no) {
            self.refuse(key, value, "a layer is of another kind", format!("\"{yes}\", \"{no}\""));
        } else if kinds.len() != count {
            let why = format!("it has {} of {count} layers", kinds.len());
            self.refuse(key, value, why, "one word for each of num_hidden_layers");
        } else {
            return Some(kinds.iter().map(|kind| kind == yes).collect());
        }
        None
    }

    /// Layers by their numbers.
    pub fn layers(&mut self, key: &'static str, count: usize) -> Vec<usize> {
        let value = match self.given(key) {
            Given::Value(value) => value,
            Given::Null | Given::Missing => return Vec::new(),
        };
        let list = value.as_array().map(|list| list.iter().map(Value::as_u64).collect::<Option<Vec<_>>>());
        let Some(Some(list)) = list else {
            self.wrong_type(key, value, "a list of layers");
            return Vec::new();
        };
        if list.iter().any(|&layer| layer >= count as u64) {
            self.out_of_range(key, value, format!("layers from 0 to {}", count.saturating_sub(1)));
        }
        list.into_iter().filter_map(|layer| usize::try_from(layer).ok()).collect()
    }

    /// The balance terms: those under [`BALANCE`], or else what the family's own settings say.
    ///
    /// A family either has tensors for a selection bias or has not, whatever the terms are.
    pub fn balance(&mut self, native: Vec<Balance>, has_bias: bool) -> Vec<Balance> {
        let value = match self.given(BALANCE) {
            Given::Value(value) => value,
            Given::Null | Given::Missing => return native,
        };
        let Ok(terms) = serde_json::from_value::<Vec<Balance>>(value.clone()) else {
            self.wrong_type(
                BALANCE,
                value,
                "a list of balance terms, such as [{\"seq_aux\": {\"alpha\": 0.001}}]",
            );
            return native;
        };
        let biased = terms.iter().any(|term| matches!(term, Balance::Bias { .. }));
        if biased != has_bias {
            let (why, accepted) = if has_bias {
                (
                    "the family has selection biases, which only `bias` moves",
                    "a list with {\"bias\": {\"rate\": ...}}",
                )
            } else {
                ("the family has no tensor for a selection bias", "a list without `bias`")
            };
            self.refuse(BALANCE, value, why, accepted);
            return native;
        }
        terms
    }
}

/// Whether a setting switches nothing on.
pub(crate) fn is_off(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false)) || value.as_f64() == Some(0.0)
}

/// A value as a message shows it, cut where it is long.
pub(crate) fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn range(bounds: Bounds) -> String {
    let number =
        |n: f64| if n.fract() == 0.0 && n.abs() < 1e15 { format!("{n:.0}") } else { format!("{n:?}") };
    format!("{} to {}", number(bounds.min), number(bounds.max))
}
