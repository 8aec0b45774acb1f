//! Going on behind a syntax error, so that all errors of a file are reported together.
//!
//! Brackets are known to match here, so the end of an item in braces is certain. Inside it, reading
//! goes on where a field or a rule of a budget plainly begins; between items, where one of the
//! words does that items begin with. What lies between is left out, and the item marked as broken.

use super::build::{Builder, pieces};
use super::syntax::{place, syntax_error};
use super::{Rule, parse};
use crate::ast::{Budget, Field, File, Model, Train};
use crate::diagnostic::Found;
use crate::scan::{behind_blanks, lexemes, word_at};
use crate::source::SourceId;

/// What could be read of an item.
pub(super) struct Item {
    /// The item, if it is a model, still without its doc comment.
    pub model: Option<Model>,
    /// Where it ends.
    pub end: usize,
}

/// Reads the item that begins at `start` and has an error at `error` as far as it can be read.
/// Budgets and training blocks are put into `file`.
pub(super) fn item(
    source: SourceId,
    text: &str,
    start: usize,
    error: usize,
    found: &mut Found,
    file: &mut File,
) -> Item {
    let first = behind_blanks(text, start);
    let (head, body) = match word_at(text, first) {
        "model" => (Rule::model_head, Rule::next_field),
        "budget" => (Rule::budget_head, Rule::next_line),
        "train" => (Rule::train_head, Rule::next_field),
        _ => return skip(text, first, error, file),
    };
    let Ok(mut pairs) = parse(head, text, start) else { return skip(text, first, error, file) };
    let Some(pair) = pairs.next() else { return skip(text, first, error, file) };
    let open = start + pair.as_span().end();
    let close = closing(text, open);
    let mut builder = Builder::new(source, start, found);
    let end = close + 1;
    if head == Rule::budget_head {
        let name =
            pieces(pair).find(|piece| piece.as_rule() == Rule::ident).map(|piece| builder.name(&piece));
        let mut rules = Vec::new();
        each(source, text, open..close, body, found, |builder, pair| match pair {
            Some(pair) => rules.extend(builder.rule(pair)),
            None => _ = rules.pop(),
        });
        file.budgets.push(Budget { name, rules });
        return Item { model: None, end };
    }
    let (mut name, mut extends, mut at) = (None, None, None);
    for piece in pieces(pair) {
        match piece.as_rule() {
            Rule::train_word => at = Some(builder.span(&piece)),
            Rule::ident => name = Some(builder.name(&piece)),
            Rule::string => extends = Some(builder.text(&piece)),
            _ => {}
        }
    }
    let mut fields: Vec<Field> = Vec::new();
    each(source, text, open..close, body, found, |builder, pair| match pair {
        Some(pair) => fields.extend(builder.field(pair)),
        None => _ = fields.pop(),
    });
    let mut model = None;
    match (at, name) {
        (Some(at), name) => file.trains.push(Train { at, name, fields, broken: true }),
        (None, Some(name)) => {
            model = Some(Model { doc: String::new(), name, extends, fields, broken: true });
        }
        (None, None) => {}
    }
    Item { model, end }
}

/// Reads the fields or rules between two braces, each by itself. `take` is given each that can be
/// read, and `None` where an error follows one at once: that one may have swallowed what came next.
fn each(
    source: SourceId,
    text: &str,
    range: std::ops::Range<usize>,
    rule: Rule,
    found: &mut Found,
    mut take: impl FnMut(&mut Builder, Option<super::Piece>),
) {
    let inside = &text[..range.end];
    let mut at = range.start;
    loop {
        at = behind_blanks(inside, at);
        // Describing an error takes time, and nobody reads more.
        if at >= range.end || found.is_full() {
            return;
        }
        match parse(rule, inside, at) {
            Ok(pairs) => {
                let Some(pair) = pairs.flat_map(pieces).next() else { return };
                let mut builder = Builder::new(source, at, found);
                at += pair.as_span().end();
                take(&mut builder, Some(pair));
            }
            Err(error) => {
                let error_at = place(at, &error);
                found.push(syntax_error(rule, source, text, at, &error));
                if error_at == at {
                    take(&mut Builder::new(source, at, found), None);
                }
                let next = |candidate: usize| candidate > at && candidate >= error_at;
                let begins = if rule == Rule::next_line { begins_rule } else { begins_field };
                let mut depth = 0;
                let found = lexemes(inside, at).find(|&(i, byte)| {
                    let outside = depth == 0;
                    match byte {
                        b'(' | b'[' | b'{' => depth += 1,
                        b')' | b']' | b'}' => depth -= 1,
                        _ => {}
                    }
                    outside && next(i) && inside[..i].ends_with(apart) && begins(inside, i)
                });
                let Some((resume, _)) = found else { return };
                at = resume;
            }
        }
    }
}

/// Whether what stands in front of a word is no part of it.
fn apart(before: char) -> bool {
    !before.is_alphanumeric() && before != '_'
}

/// Whether a field plainly begins here: `name =`, `name[`.
fn begins_field(text: &str, at: usize) -> bool {
    let name = word_at(text, at);
    let rest = &text[behind_blanks(text, at + name.len())..];
    !name.is_empty() && (rest.starts_with('[') || rest.starts_with('=') && !rest.starts_with("=="))
}

/// Whether a rule of a budget plainly begins here: a word, the first on its line.
fn begins_rule(text: &str, at: usize) -> bool {
    let before = text[..at].trim_end_matches([' ', '\t']);
    !word_at(text, at).is_empty() && (before.is_empty() || before.ends_with('\n'))
}

/// The item cannot be told from what follows: on to the next that can.
fn skip(text: &str, first: usize, error: usize, file: &mut File) -> Item {
    file.broken = true;
    let mut depth = 0;
    let next = lexemes(text, first).find(|&(i, byte)| {
        let outside = depth == 0;
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        let word = || matches!(word_at(text, i), "model" | "budget" | "train" | "let");
        outside && i > first && i >= error && word()
    });
    Item { model: None, end: next.map_or(text.len(), |(i, _)| i) }
}

/// Where the brace is closed behind which `open` is.
fn closing(text: &str, open: usize) -> usize {
    let mut depth = 0usize;
    let close = lexemes(text, open).find(|&(_, byte)| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth == 0 => return true,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        false
    });
    close.map_or(text.len(), |(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_rules_are_told_by_how_they_begin() {
        assert!(
            begins_field("dim = 3", 0) && begins_field("ffn[0] = 3", 0) && begins_field("a // b\n = 3", 0)
        );
        assert!(!begins_field("dim == 3", 0) && !begins_field("4 = 3", 0) && !begins_field("dim 3", 0));
        assert!(begins_rule("x\n  flops.forward <= 1", 4) && !begins_rule("a <= flops.forward", 5));
    }
}
