//! From a violation of the IR back to the text that made it.

use coec_ir::{Quantity, Violation, ViolationKind, table};

use crate::ast::{Value, ValueKind, Word};
use crate::scopes::Scopes;
use crate::source::Span;

/// A place in the text, and whether it is only the block around a field that was left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Located {
    pub at: Span,
    pub defaulted: bool,
}

/// Follows `path` into a value.
pub(crate) fn locate(scopes: &Scopes, value: &Value, path: &[&str], violation: &Violation) -> Located {
    let value = scopes.binding(value).map_or(value, |(target, _)| target);
    match (&value.kind, path) {
        (ValueKind::List(values), _) => match pick(scopes, values, path, violation) {
            Some(value) => locate(scopes, value, path, violation),
            None => Located { at: value.span, defaulted: false },
        },
        (_, []) => Located { at: value.span, defaulted: false },
        (ValueKind::Word(word), [name, rest @ ..]) => match argument(word, name) {
            Some(value) => locate(scopes, value, rest, violation),
            None => Located { at: value.head(), defaulted: true },
        },
        _ => Located { at: value.span, defaulted: false },
    }
}

/// The argument of a block by the name of its field, given with or without its key.
pub(crate) fn argument<'v>(word: &'v Word, name: &str) -> Option<&'v Value> {
    let args = word.args.as_deref()?;
    let keyed = args.iter().find(|arg| arg.key.as_ref().is_some_and(|key| key.text == name));
    let arg = keyed.or_else(|| {
        let position = table::position(&word.name.text, name)?;
        args.iter().filter(|arg| arg.key.is_none()).nth(position)
    })?;
    Some(&arg.value)
}

/// The entry of a list that a violation is about.
fn pick<'v>(scopes: &Scopes, values: &'v [Value], path: &[&str], violation: &Violation) -> Option<&'v Value> {
    match &violation.kind {
        ViolationKind::KExceedsExperts { iteration, .. } => values.get(*iteration),
        ViolationKind::OutOfRange { value: wanted, .. } => values.iter().find(|value| {
            let at = path.iter().try_fold(*value, |value, name| match &value.kind {
                ValueKind::Word(word) => argument(word, name),
                _ => None,
            });
            let number = at.map(|at| scopes.binding(at).map_or(at, |(target, _)| target));
            match number.map(|value| &value.kind) {
                Some(ValueKind::Number(text)) => {
                    Quantity::parse(text).is_ok_and(|quantity| quantity.to_f64() == *wanted)
                }
                _ => false,
            }
        }),
        ViolationKind::DuplicateBalance { word: wanted } => values.iter().rfind(|value| {
            let value = scopes.binding(value).map_or(*value, |(target, _)| target);
            matches!(&value.kind, ValueKind::Word(word) if word.name.text == *wanted)
        }),
        _ => None,
    }
}
