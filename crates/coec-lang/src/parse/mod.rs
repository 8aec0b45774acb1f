//! Text to syntax tree.

mod build;
mod recover;
mod syntax;

use pest::Parser;
use pest::iterators::{Pair, Pairs};

pub(crate) use self::build::unescaped;
use self::build::{Builder, pieces};
use self::syntax::syntax_error;
use crate::ast::{Assignment, BareBlock, File, Name};
use crate::diagnostic::Found;
use crate::scan::scan;
use crate::source::{SourceId, Span};

#[derive(pest_derive::Parser)]
#[grammar = "../../../grammar/coe.pest"]
struct Grammar;

/// What the parser makes of a rule of the grammar, with the pieces inside.
pub(crate) type Piece<'i> = Pair<'i, Rule>;

/// Reads a file. What has no readable shape is reported and left out.
pub(crate) fn file(source: SourceId, text: &str, found: &mut Found) -> File {
    let mut file = File::default();
    let (scan, error) = scan(source, text);
    if let Some(error) = error {
        found.push(error);
        file.broken = true;
    }
    // Behind an unmatched bracket nobody can tell what is inside what.
    let text = &text[..scan.complete];
    let (mut start, mut doc_from, mut careful) = (0, 0, false);
    loop {
        let end = if careful { recover::end_of_item(text, start) } else { text.len() };
        let pair = match parse(Rule::next, &text[..end], start) {
            Ok(pairs) => pairs,
            Err(error) => {
                careful = true;
                let (before, mut model) = (found.count(), None);
                let read = recover::item(source, text, start, found, &mut file, &mut model);
                if found.count() == before {
                    found.push(syntax_error(Rule::next, source, text, start, &error));
                }
                file.broken |= read.is_none() || found.is_full();
                if found.is_full() {
                    return file;
                }
                let end = read.unwrap_or_else(|| recover::end_of_item(text, start));
                if let Some(model) = model {
                    let doc = scan.doc(doc_from, model.name.span.start as usize);
                    file.models.push(crate::ast::Model { doc, ..model });
                }
                (start, doc_from) = (end, end);
                continue;
            }
        };
        let Some(pair) = pair.flat_map(pieces).next() else { return file };
        if pair.as_rule() == Rule::EOI && end == text.len() {
            return file;
        }
        let mut builder = Builder::new(source, start, found);
        let span = builder.span(&pair);
        let doc = scan.doc(doc_from, span.start as usize);
        doc_from = span.end as usize;
        start += pair.as_span().end();
        match pair.as_rule() {
            Rule::model => file.models.extend(builder.model(pair, doc)),
            Rule::budget => file.budgets.extend(builder.budget(pair)),
            Rule::train => file.trains.extend(builder.train(pair)),
            Rule::sweep => file.sweeps.push(builder.sweep(pair)),
            Rule::binding => file.lets.extend(builder.binding(pair)),
            Rule::EOI => {}
            _ => file.blocks.extend(builder.value(pair).map(|value| BareBlock { doc, value })),
        }
    }
}

/// Takes the items of a text as the parser gives them, each with the place where the parser began.
/// Whether the text has the shape of a spec; if not, [`file()`] says why.
pub(crate) fn items<'i>(source: SourceId, text: &'i str, mut take: impl FnMut(usize, Piece<'i>)) -> bool {
    if scan(source, text).1.is_some() {
        return false;
    }
    let mut start = 0;
    while let Ok(pairs) = parse(Rule::next, text, start) {
        match pairs.flat_map(pieces).next() {
            Some(item) if item.as_rule() != Rule::EOI => {
                let length = item.as_span().end();
                take(start, item);
                start += length;
            }
            _ => return true,
        }
    }
    false
}

/// Reads a `--set` argument.
pub(crate) fn setting(source: SourceId, text: &str, found: &mut Found) -> Option<Assignment> {
    if let (_, Some(error)) = scan(source, text) {
        found.push(error);
        return None;
    }
    let mut pairs = parse(Rule::setting, text, 0)
        .map_err(|error| found.push(syntax_error(Rule::setting, source, text, 0, &error)))
        .ok()?;
    let mut builder = Builder::new(source, 0, found);
    let mut inner = pieces(pairs.next()?);
    let whole = inner.next()?;
    let mut start = whole.as_span().start();
    let mut path = Vec::new();
    for part in whole.as_str().split('.') {
        let span = Span::new(source, start, start + part.len());
        path.push(Name { text: part.to_string(), span });
        start += part.len() + 1;
    }
    let value = builder.value(inner.next()?)?;
    Some(Assignment { path, value })
}

/// Reads one line of a budget.
pub(crate) fn line(source: SourceId, text: &str, found: &mut Found) -> Option<crate::ast::Rule> {
    if let (_, Some(error)) = scan(source, text) {
        found.push(error);
        return None;
    }
    let mut pairs = parse(Rule::one_line, text, 0)
        .map_err(|error| found.push(syntax_error(Rule::one_line, source, text, 0, &error)))
        .ok()?;
    Builder::new(source, 0, found).rule(pieces(pairs.next()?).next()?)
}

/// Parses what begins at `start`.
fn parse(rule: Rule, text: &str, start: usize) -> Result<Pairs<'_, Rule>, Box<pest::error::Error<Rule>>> {
    Grammar::parse(rule, &text[start..]).map_err(Box::new)
}
