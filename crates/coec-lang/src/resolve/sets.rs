//! `--set ffn.k=8`: a change to a draft, checked like everything else.

use coec_ir::LENGTHS;
use coec_ir::table::{Default, LOOP, MODEL, TRAIN, Table};

use super::locate::argument;
use super::model::Draft;
use super::train::TrainDraft;
use super::{Cx, home_of_field};
use crate::ast::{Arg, Assignment, Name, Value, ValueKind, Word};
use crate::error::ResolveError;
use crate::suggest;

impl Cx<'_> {
    /// Changes a model or its training.
    pub fn set(&mut self, setting: &Assignment, model: &mut Draft, train: &mut TrainDraft) {
        let (edit, position) = match setting.path.as_slice() {
            [first, rest @ ..] if first.text == TRAIN.word => {
                let Some(name) = rest.first() else {
                    let found = "a block of fields".into();
                    let name = first.text.clone();
                    self.found.push(ResolveError::NotABlock { name, found, at: first.span });
                    return;
                };
                let Some(position) = self.position(&TRAIN, name) else { return };
                let current = train.value(position).cloned();
                (self.edit(&TRAIN, position, current, rest, &setting.value), position)
            }
            [first, ..] if first.text == LOOP => {
                return self.found.push(ResolveError::LoopNeedsLayers { at: first.span });
            }
            path @ [first, ..] => {
                let Some(position) = self.position(&MODEL, first) else { return };
                let current = model.value(position).cloned();
                (self.edit(&MODEL, position, current, path, &setting.value), position)
            }
            [] => return,
        };
        let Some(value) = edit else { return };
        if setting.path[0].text != TRAIN.word {
            return model.edits.set(position, value);
        }
        // A training has one length.
        if LENGTHS.contains(&TRAIN.fields[position].name) {
            let places = LENGTHS.iter().filter_map(|length| TRAIN.position(length));
            places.for_each(|place| train.edits.leave_out(place));
        }
        train.edits.set(position, value);
    }

    fn position(&mut self, table: &'static Table, name: &Name) -> Option<usize> {
        let position = table.position(&name.text);
        if position.is_none() {
            let note = home_of_field(&name.text).map(|home| format!("did you mean `{home}`"));
            self.unknown_field(table, &name.text, name.span, note);
        }
        position
    }

    /// The value of a field after a change at `path`, which begins with the field itself.
    fn edit(
        &mut self,
        table: &'static Table,
        position: usize,
        current: Option<Value>,
        path: &[Name],
        new: &Value,
    ) -> Option<Value> {
        let (name, rest) = path.split_first()?;
        let Some(inner) = rest.first() else { return Some(new.clone()) };
        let mut value = match (current, table.fields[position].default) {
            (Some(value), _) => {
                self.scopes.binding(&value).map_or(value.clone(), |(target, _)| target.clone())
            }
            (None, Default::Word(word)) => written_out(word, &[], path),
            (None, Default::Preset(word, preset)) => written_out(word, preset, path),
            // A required field that is missing is reported when the block is resolved.
            (None, Default::Required) => return None,
            (None, _) => return self.not_a_block(name, "not a block"),
        };
        let described = value.describe();
        let ValueKind::Word(word) = &mut value.kind else { return self.not_a_block(name, &described) };
        let tables = table.fields[position].tables();
        let Some(table) = tables.iter().find(|table| table.word == word.name.text) else {
            return self.not_a_block(name, &described);
        };
        let Some(position) = table.position(&inner.text) else {
            self.unknown_field(table, &inner.text, inner.span, None);
            return None;
        };
        let old = argument(word, &inner.text).cloned();
        let new = self.edit(table, position, old, rest, new)?;
        replace(word, table, inner, new);
        Some(value)
    }

    fn not_a_block(&mut self, name: &Name, found: &str) -> Option<Value> {
        let (name, at) = (suggest::shown(&name.text), name.span);
        self.found.push(ResolveError::NotABlock { name, found: found.into(), at });
        None
    }
}

/// A default as the user could have written it, standing where the setting names it.
fn written_out(word: &str, preset: &[(&str, f64)], path: &[Name]) -> Value {
    let span = path_span(path);
    let name = |text: &str| Name { text: text.into(), span: path[0].span };
    let number = |x: &f64| Value { kind: ValueKind::Number(format!("{x:?}")), span };
    let args: Vec<_> = preset.iter().map(|(key, x)| Arg { key: Some(name(key)), value: number(x) }).collect();
    let args = (!args.is_empty()).then_some(args);
    Value { kind: ValueKind::Word(Word { name: name(word), args }), span }
}

/// Gives a block's argument a new value.
fn replace(word: &mut Word, table: &Table, name: &Name, value: Value) {
    let args = word.args.get_or_insert_default();
    let position = table.position(&name.text);
    let keyed = |arg: &Arg| arg.key.as_ref().is_some_and(|key| key.text == name.text);
    if let Some(arg) = args.iter_mut().find(|arg| keyed(arg)) {
        arg.value = value;
        return;
    }
    let mut unnamed = args.iter_mut().filter(|arg| arg.key.is_none());
    match position.and_then(|position| unnamed.nth(position)) {
        Some(arg) => arg.value = value,
        None => args.push(Arg { key: Some(name.clone()), value }),
    }
}

fn path_span(path: &[Name]) -> crate::source::Span {
    let (first, last) = (path[0].span, path[path.len() - 1].span);
    crate::source::Span { end: last.end, ..first }
}
