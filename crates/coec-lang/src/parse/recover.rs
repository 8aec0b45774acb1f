//! Going on behind a syntax error, so that all errors of a file are reported together.
//!
//! Brackets are known to match here, so the end of an item in braces is certain. It is cut where
//! its fields or rules plainly begin, and so is what follows where items do. Each piece is read by
//! itself: what has an error is left out, and the item marked as broken. The pieces also keep the
//! parser from describing the same long line once for every error in it.

use std::ops::Range;

use super::build::{Builder, pieces};
use super::syntax::syntax_error;
use super::{Piece, Rule, parse};
use crate::ast::{Budget, Field, File, Model, Sweep, Train};
use crate::diagnostic::Found;
use crate::scan::{behind_blanks, lexemes, word_at};
use crate::source::SourceId;

/// Where the item that begins at `start` ends at the latest: in front of the next word that
/// begins one.
pub(super) fn end_of_item(text: &str, start: usize) -> usize {
    let first = behind_blanks(text, start);
    let is_item = |at: usize| matches!(word_at(text, at), "model" | "budget" | "train" | "sweep" | "let");
    let next = outside(text, first).find(|&at| at > first && is_item(at) && stands_alone(text, at));
    next.unwrap_or(text.len())
}

/// Reads the model, budget or training block that begins at `start` as far as it can be read, and
/// gives where it ends; `None` if not even its head can be. Budgets and training blocks are put
/// into `file`, and a model, still without its doc comment, into `model`.
pub(super) fn item(
    source: SourceId,
    text: &str,
    start: usize,
    found: &mut Found,
    file: &mut File,
    model: &mut Option<Model>,
) -> Option<usize> {
    let (head, body) = match word_at(text, behind_blanks(text, start)) {
        "model" => (Rule::model_head, Rule::one_field),
        "budget" => (Rule::budget_head, Rule::one_line),
        "train" => (Rule::train_head, Rule::one_field),
        "sweep" => (Rule::sweep_head, Rule::one_axis),
        _ => return None,
    };
    let pair = parse(head, text, start).ok()?.next()?;
    let open = start + pair.as_span().end();
    let close = outside(text, open).find(|&at| text.as_bytes()[at] == b'}')?;
    let mut builder = Builder::new(source, start, found);
    let (mut name, mut extends, mut at) = (None, None, None);
    for piece in pieces(pair) {
        match piece.as_rule() {
            Rule::train_word | Rule::sweep_word => at = Some(builder.span(&piece)),
            Rule::ident => name = Some(builder.name(&piece)),
            Rule::string => extends = Some(builder.text(&piece)),
            _ => {}
        }
    }
    if head == Rule::budget_head {
        let mut rules = Vec::new();
        each(source, text, open..close, body, found, |builder, pair| rules.extend(builder.rule(pair)));
        file.budgets.push(Budget { name, rules });
        return Some(close + 1);
    }
    if head == Rule::sweep_head {
        let mut axes = Vec::new();
        each(source, text, open..close, body, found, |builder, pair| axes.extend(builder.axis(pair)));
        file.sweeps.extend(at.map(|at| Sweep { at, axes }));
        return Some(close + 1);
    }
    let mut fields: Vec<Field> = Vec::new();
    each(source, text, open..close, body, found, |builder, pair| fields.extend(builder.field(pair)));
    match at {
        Some(at) => file.trains.push(Train { at, name, fields, broken: true }),
        None => {
            *model = name.map(|name| Model { doc: String::new(), name, extends, fields, broken: true });
        }
    }
    Some(close + 1)
}

/// Reads the fields or rules between two braces, each by itself, and takes those without errors.
fn each(
    source: SourceId,
    text: &str,
    inside: Range<usize>,
    rule: Rule,
    found: &mut Found,
    mut take: impl FnMut(&mut Builder, Piece),
) {
    let begins = if rule == Rule::one_field { begins_field } else { begins_rule };
    let body = &text[..inside.end];
    let mut at = behind_blanks(body, inside.start);
    // Describing an error takes time, and nobody reads more.
    while at < body.len() && !found.is_full() {
        let next = outside(body, at).find(|&next| next > at && begins(body, next));
        let end = next.unwrap_or(body.len());
        match parse(rule, &body[..end], at) {
            Ok(pairs) => {
                let mut builder = Builder::new(source, at, found);
                pairs.flat_map(pieces).take(1).for_each(|pair| take(&mut builder, pair));
            }
            Err(error) => found.push(syntax_error(rule, source, text, at, &error)),
        }
        at = end;
    }
}

/// The words and marks from `start` on that stand in no bracket opened behind it.
fn outside(text: &str, start: usize) -> impl Iterator<Item = usize> + '_ {
    let mut depth = 0usize;
    lexemes(text, start).filter_map(move |(at, byte)| {
        let here = depth == 0;
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        here.then_some(at)
    })
}

/// Whether what stands in front of a word is no part of it.
fn stands_alone(text: &str, at: usize) -> bool {
    text[..at].ends_with(|before: char| !before.is_alphanumeric() && before != '_')
}

/// Whether a field plainly begins here: `name =`, `name[`.
fn begins_field(text: &str, at: usize) -> bool {
    let name = word_at(text, at);
    let rest = &text[behind_blanks(text, at + name.len())..];
    let follows = rest.starts_with('[') || rest.starts_with('=') && !rest.starts_with("==");
    !name.is_empty() && follows && stands_alone(text, at)
}

/// Whether a rule of a budget plainly begins here: a word, the first on its line.
fn begins_rule(text: &str, at: usize) -> bool {
    !word_at(text, at).is_empty() && text[..at].trim_end_matches([' ', '\t']).ends_with('\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_rules_are_told_by_how_they_begin() {
        let field = |text: &str| begins_field(text, 1);
        assert!(field(" dim = 3") && field(" ffn[0] = 3") && field(" a // b\n = 3"));
        assert!(!field(" dim == 3") && !field(" 4 = 3") && !field(" dim 3") && !field("sdim = 3"));
        assert!(begins_rule("x\n  flops.forward <= 1", 4) && !begins_rule("a <= flops.forward", 5));
    }

    #[test]
    fn items_end_where_the_next_begins() {
        assert_eq!(end_of_item(" let a = f(model) model b { }", 0), 18);
        assert_eq!(end_of_item("junk \"train\" // train\n", 0), 22);
    }
}
