//! From the parser's pairs to the tree.

use super::{Piece, Rule};
use crate::ast::{
    Arg, Axis, Budget, Derived, Factor, Field, Formula, Index, IndexKind, Let, Model, Name, Number, Power,
    Sign, Sweep, Target, Text, Train, Value, ValueKind, Word,
};
use crate::diagnostic::Found;
use crate::error::ParseError;
use crate::scan::MAX_NESTING;
use crate::source::{SourceId, Span};

/// The pieces of a piece, without the marks between them.
pub(super) fn pieces<'i>(pair: Piece<'i>) -> impl Iterator<Item = Piece<'i>> {
    pair.into_inner().filter(|piece| !is_mark(piece.as_rule()))
}

fn is_mark(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::brace_open
            | Rule::brace_close
            | Rule::paren_open
            | Rule::paren_close
            | Rule::bracket_open
            | Rule::bracket_close
            | Rule::equals
            | Rule::comma
            | Rule::dots
            | Rule::at
            | Rule::plus_minus
            | Rule::with_word
            | Rule::fit_word
            | Rule::under_word
    )
}

/// Where a piece ends. The parser lets a rule with an optional end run on over the
/// white space in front of what did not come; the last thing that did come is the end.
fn end(pair: &Piece) -> usize {
    match pair.as_rule() {
        Rule::line
        | Rule::target
        | Rule::word
        | Rule::binding
        | Rule::conditions
        | Rule::condition
        | Rule::axis
        | Rule::fitted
        | Rule::values
        | Rule::derived
        | Rule::sum
        | Rule::product => {
            pair.clone().into_inner().next_back().map_or(pair.as_span().end(), |last| end(&last))
        }
        _ => pair.as_span().end(),
    }
}

/// What a string says, its quotes removed and its escapes resolved.
pub(crate) fn unescaped(raw: &str, span: Span, found: &mut Found) -> String {
    let raw = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw);
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.char_indices();
    while let Some((i, c)) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some((_, '"')) => text.push('"'),
            Some((_, '\\')) => text.push('\\'),
            Some((_, 'n')) => text.push('\n'),
            Some((_, 't')) => text.push('\t'),
            Some((_, 'r')) => text.push('\r'),
            Some((j, escape)) => {
                let start = span.start as usize + 1;
                let at = Span::new(span.source, start + i, start + j + escape.len_utf8());
                found.push(ParseError::UnknownEscape { escape, at });
            }
            None => {}
        }
    }
    text
}

/// Turns the parser's pairs into the tree. The grammar guarantees the pieces that
/// are asked for, so a missing one only ends the item it belongs to.
pub(super) struct Builder<'a> {
    pub source: SourceId,
    /// Where in the text the parser began.
    pub base: usize,
    pub found: &'a mut Found,
    depth: usize,
}

impl<'a> Builder<'a> {
    pub fn new(source: SourceId, base: usize, found: &'a mut Found) -> Self {
        Self { source, base, found, depth: 0 }
    }

    pub fn span(&self, pair: &Piece) -> Span {
        Span::new(self.source, self.base + pair.as_span().start(), self.base + end(pair))
    }

    pub fn name(&self, pair: &Piece) -> Name {
        Name { text: pair.as_str().to_string(), span: self.span(pair) }
    }

    fn number(&self, pair: &Piece) -> Number {
        Number { text: pair.as_str().to_string(), span: self.span(pair) }
    }

    pub fn text(&mut self, pair: &Piece) -> Text {
        let span = self.span(pair);
        Text { text: unescaped(pair.as_str(), span, self.found), span }
    }

    pub fn model(&mut self, pair: Piece, doc: String) -> Option<Model> {
        let mut name = None;
        let mut extends = None;
        let mut fields = Vec::new();
        for piece in pieces(pair) {
            match piece.as_rule() {
                Rule::ident => name = Some(self.name(&piece)),
                Rule::string => extends = Some(self.text(&piece)),
                Rule::field => fields.extend(self.field(piece)),
                _ => {}
            }
        }
        Some(Model { doc, name: name?, extends, fields, broken: false })
    }

    pub fn train(&mut self, pair: Piece) -> Option<Train> {
        let mut at = self.span(&pair);
        let mut name = None;
        let mut fields = Vec::new();
        for piece in pieces(pair) {
            match piece.as_rule() {
                Rule::train_word => at = self.span(&piece),
                Rule::ident => name = Some(self.name(&piece)),
                Rule::field => fields.extend(self.field(piece)),
                _ => {}
            }
        }
        Some(Train { at, name, fields, broken: false })
    }

    pub fn sweep(&mut self, pair: Piece) -> Sweep {
        let mut at = self.span(&pair);
        let mut axes = Vec::new();
        for piece in pieces(pair) {
            match piece.as_rule() {
                Rule::sweep_word => at = self.span(&piece),
                Rule::axis => axes.extend(self.axis(piece)),
                _ => {}
            }
        }
        Sweep { at, axes }
    }

    pub fn axis(&mut self, pair: Piece) -> Option<Axis> {
        let pair = pieces(pair).next()?;
        let is_fitted = pair.as_rule() == Rule::fitted;
        let mut inner = pieces(pair);
        let path = self.name(&inner.next()?);
        if is_fitted {
            return Some(Axis::Fitted { path, rule: self.rule(inner.next()?)? });
        }
        let value = self.value(inner.next()?)?;
        let derived = inner.filter_map(|piece| self.derived(piece)).collect();
        Some(Axis::Values { path, value, derived })
    }

    fn derived(&mut self, pair: Piece) -> Option<Derived> {
        let mut inner = pieces(pair);
        let path = self.name(&inner.next()?);
        let sum = inner.next()?;
        let span = self.span(&sum);
        let (mut terms, mut sign) = (Vec::new(), Sign::Plus);
        for piece in pieces(sum) {
            match piece.as_rule() {
                Rule::plus => sign = Sign::Plus,
                Rule::minus => sign = Sign::Minus,
                _ => terms.push((sign, self.product(piece))),
            }
        }
        Some(Derived { path, formula: Formula { terms, span } })
    }

    fn product(&self, pair: Piece) -> Vec<(Power, Factor)> {
        let (mut factors, mut power) = (Vec::new(), Power::Times);
        for piece in pieces(pair) {
            match piece.as_rule() {
                Rule::times => power = Power::Times,
                Rule::over => power = Power::Over,
                Rule::number => factors.push((power, Factor::Number(self.number(&piece)))),
                _ => factors.push((power, Factor::Field(self.name(&piece)))),
            }
        }
        factors
    }

    pub fn binding(&mut self, pair: Piece) -> Option<Let> {
        let mut inner = pieces(pair);
        inner.next()?;
        let name = self.name(&inner.next()?);
        Some(Let { name, value: self.value(inner.next()?)? })
    }

    pub fn field(&mut self, pair: Piece) -> Option<Field> {
        let mut inner = pieces(pair);
        let name = self.name(&inner.next()?);
        let mut next = inner.next()?;
        let mut index = None;
        if next.as_rule() == Rule::index {
            index = Some(self.index(next)?);
            next = inner.next()?;
        }
        Some(Field { name, index, value: self.value(next)? })
    }

    fn index(&mut self, pair: Piece) -> Option<Index> {
        let span = self.span(&pair);
        let inner = pieces(pair).next()?;
        let every = inner.as_rule() == Rule::every;
        let mut numbers =
            pieces(inner).filter(|piece| piece.as_rule() == Rule::number).map(|piece| self.number(&piece));
        let first = numbers.next()?;
        let kind = match (every, numbers.next()) {
            (true, _) => IndexKind::Every(first),
            (false, Some(end)) => IndexKind::Range(first, end),
            (false, None) => IndexKind::One(first),
        };
        Some(Index { kind, span })
    }

    /// A value, or a block at the top level, which has the pieces of a word.
    pub fn value(&mut self, pair: Piece) -> Option<Value> {
        let span = self.span(&pair);
        // The scan has counted brackets before the parser ran; this holds for the tree itself.
        if self.depth > MAX_NESTING {
            self.found.push(ParseError::NestedTooDeep { limit: MAX_NESTING, at: span });
            return None;
        }
        self.depth += 1;
        let kind = match pair.as_rule() {
            Rule::number => Some(ValueKind::Number(pair.as_str().to_string())),
            Rule::string => Some(ValueKind::Text(self.text(&pair).text)),
            Rule::list => Some(ValueKind::List(pieces(pair).filter_map(|piece| self.value(piece)).collect())),
            _ => self.word(pair).map(ValueKind::Word),
        };
        self.depth -= 1;
        Some(Value { kind: kind?, span })
    }

    fn word(&mut self, pair: Piece) -> Option<Word> {
        let mut inner = pieces(pair);
        let name = self.name(&inner.next()?);
        let args = inner.next().map(|args| pieces(args).filter_map(|arg| self.arg(arg)).collect());
        Some(Word { name, args })
    }

    fn arg(&mut self, pair: Piece) -> Option<Arg> {
        let mut inner = pieces(pair);
        let first = inner.next()?;
        if first.as_rule() == Rule::ident {
            let key = Some(self.name(&first));
            return Some(Arg { key, value: self.value(inner.next()?)? });
        }
        Some(Arg { key: None, value: self.value(first)? })
    }

    pub fn budget(&mut self, pair: Piece) -> Option<Budget> {
        let mut name = None;
        let mut rules = Vec::new();
        for piece in pieces(pair) {
            match piece.as_rule() {
                Rule::ident => name = Some(self.name(&piece)),
                Rule::line => rules.extend(self.rule(piece)),
                _ => {}
            }
        }
        Some(Budget { name, rules })
    }

    pub fn rule(&mut self, pair: Piece) -> Option<crate::ast::Rule> {
        let span = self.span(&pair);
        let mut warn = false;
        let mut figure = None;
        let mut comparison = None;
        let mut target = None;
        let mut tolerance = None;
        let mut per_layer = None;
        let mut conditions = Vec::new();
        for piece in pieces(pair) {
            match piece.as_rule() {
                Rule::warn_word => warn = true,
                Rule::path => figure = Some(self.name(&piece)),
                Rule::comparison => {
                    comparison = Some(match piece.as_str() {
                        "<=" => coec_ir::Comparison::AtMost,
                        ">=" => coec_ir::Comparison::AtLeast,
                        _ => coec_ir::Comparison::Equal,
                    });
                }
                Rule::target => target = self.target(piece),
                Rule::tolerance => tolerance = pieces(piece).next().map(|number| self.number(&number)),
                Rule::per_layer => per_layer = Some(self.span(&piece)),
                Rule::conditions => {
                    conditions = pieces(piece).filter_map(|piece| self.condition(piece)).collect();
                }
                _ => {}
            }
        }
        Some(crate::ast::Rule {
            span,
            warn,
            figure: figure?,
            comparison: comparison?,
            target: target?,
            tolerance,
            per_layer,
            conditions,
        })
    }

    fn target(&mut self, pair: Piece) -> Option<Target> {
        let mut inner = pieces(pair);
        let first = inner.next()?;
        if first.as_rule() == Rule::number {
            return Some(Target::Number(self.number(&first)));
        }
        let string = inner.next().and_then(|reference| pieces(reference).next());
        let spec = string.map(|string| self.text(&string));
        Some(Target::Figure { figure: self.name(&first), spec })
    }

    fn condition(&mut self, pair: Piece) -> Option<(Name, Value)> {
        let mut inner = pieces(pair);
        let name = self.name(&inner.next()?);
        Some((name, self.value(inner.next()?)?))
    }
}
