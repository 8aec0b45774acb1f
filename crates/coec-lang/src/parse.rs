//! Text to syntax tree.

use pest::Parser;
use pest::error::{ErrorVariant, InputLocation};
use pest::iterators::{Pair, Pairs};

use crate::ast::{
    Arg, Block, Budget, Field, File, Index, IndexKind, Let, Model, Name, Number, Setting, Target, Text,
    Train, Value, ValueKind, Word,
};
use crate::diagnostic::Found;
use crate::error::ParseError;
use crate::scan::{MAX_NESTING, scan};
use crate::source::{SourceId, Span};
use crate::suggest;

#[derive(pest_derive::Parser)]
#[grammar = "../../../grammar/coe.pest"]
struct Grammar;

type Pieces<'i> = Pairs<'i, Rule>;
type Piece<'i> = Pair<'i, Rule>;

/// Reads a file. `None` if it has no readable shape.
pub(crate) fn file(source: SourceId, text: &str, found: &mut Found) -> Option<File> {
    let scan = scan(source, text).map_err(|error| found.push(error)).ok()?;
    let mut file = File::default();
    let (mut start, mut doc_from) = (0, 0);
    loop {
        let mut pairs = parse(Rule::next, source, text, start, found)?;
        let pair = pieces(pairs.next()?).next()?;
        if pair.as_rule() == Rule::EOI {
            return Some(file);
        }
        let mut builder = Builder { source, base: start, found, depth: 0 };
        let span = builder.span(&pair);
        let doc = scan.doc(doc_from, span.start as usize);
        doc_from = span.end as usize;
        start += pair.as_span().end();
        match pair.as_rule() {
            Rule::model => file.models.extend(builder.model(pair, doc)),
            Rule::budget => file.budgets.extend(builder.budget(pair)),
            Rule::train => file.trains.extend(builder.train(pair)),
            Rule::binding => file.lets.extend(builder.binding(pair)),
            _ => file.blocks.extend(builder.value(pair).map(|value| Block { doc, value })),
        }
    }
}

/// Reads a `--set` argument.
pub(crate) fn setting(source: SourceId, text: &str, found: &mut Found) -> Option<Setting> {
    scan(source, text).map_err(|error| found.push(error)).ok()?;
    let mut pairs = parse(Rule::setting, source, text, 0, found)?;
    let mut builder = Builder { source, base: 0, found, depth: 0 };
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
    Some(Setting { path, value })
}

/// Parses what begins at `start`.
fn parse<'i>(
    rule: Rule,
    source: SourceId,
    text: &'i str,
    start: usize,
    found: &mut Found,
) -> Option<Pieces<'i>> {
    match Grammar::parse(rule, &text[start..]) {
        Ok(pairs) => Some(pairs),
        Err(error) => {
            found.push(syntax_error(rule, source, text, start, &error));
            None
        }
    }
}

/// A parser error in terms of the language.
fn syntax_error(
    rule: Rule,
    source: SourceId,
    text: &str,
    start: usize,
    error: &pest::error::Error<Rule>,
) -> ParseError {
    let at = match error.location {
        InputLocation::Pos(at) => start + at,
        InputLocation::Span((at, _)) => start + at,
    };
    let attempted: &[Rule] = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives,
        ErrorVariant::CustomError { .. } => &[],
    };
    let mut expected: Vec<&str> = attempted.iter().filter_map(describe).collect();
    expected.sort_unstable();
    expected.dedup();
    let expected = match expected.as_slice() {
        [] => "something else".to_string(),
        [one] => (*one).to_string(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    };
    let token = token(&text[at..]);
    let found =
        if token.is_empty() { "the end of the text".into() } else { format!("`{}`", suggest::shown(token)) };
    // At the very end there is nothing to point at but the last character before it.
    let span = if token.is_empty() {
        let text = text.trim_end();
        let last = text.char_indices().next_back().map_or(0, |(i, _)| i);
        Span::new(source, last, text.len())
    } else {
        Span::new(source, at, at + token.len())
    };
    let help = if rule == Rule::setting { SETTING_HINT } else { hint(token, &expected) };
    ParseError::Syntax { help: help.into(), expected, found, at: span }
}

const SETTING_HINT: &str =
    "a setting is `path=value`: `ffn.k=8`, `train.steps=100`, `ffn=moe(k=2, experts=8)`";

/// The token a text begins with: a word, a number, or one character.
fn token(text: &str) -> &str {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    match text.chars().next() {
        None => "",
        Some(c) if word(c) => &text[..text.find(|c| !word(c)).unwrap_or(text.len())],
        Some(c) => &text[..c.len_utf8()],
    }
}

fn hint(token: &str, expected: &str) -> &'static str {
    match token {
        "," | ";" if !expected.contains("`)`") => "fields in braces are separated by white space alone",
        ":" => "a field is written `name = value`",
        "<" | ">" | "=" | "!" | "~" if expected.contains("`<=`") => {
            "comparisons are `<=`, `>=` and `==`; a tolerance is `== 1G +- 5%`"
        }
        "'" => "strings stand in double quotes",
        "#" => "comments begin with `//`",
        "{" if expected.contains("model") => "a block of fields needs a word in front: `model NAME { ... }`",
        _ if !token.is_ascii() => {
            "names are made of the letters a to z, digits and `_`; anything else belongs in a string"
        }
        _ if expected.contains("`)`") || expected.contains("`]`") => {
            "arguments and list entries are separated by commas: `coe(iter=2, k=[6, 2], experts=64)`"
        }
        _ if ["`}`", "`=`", "`<=`"].iter().any(|mark| expected.contains(mark)) => {
            "in a model and in `train` fields are `name = value`; in a budget rules are `figure <= number`"
        }
        _ => {
            "a file holds `model NAME { ... }`, `budget { ... }`, `train { ... }`, `let name = value`, \
             or one block such as `coe(iter=2, k=4, experts=64)`"
        }
    }
}

/// What a rule of the grammar is to someone who writes a spec.
fn describe(rule: &Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::EOI => "the end of the text",
        Rule::next | Rule::item | Rule::model | Rule::model_word => "`model`",
        Rule::budget | Rule::budget_word => "`budget`",
        Rule::train | Rule::train_word => "`train`",
        Rule::binding | Rule::let_word => "`let`",
        Rule::block => "a block",
        Rule::extends_word => "`extends`",
        Rule::warn_word => "`warn`",
        Rule::per_layer | Rule::per_word => "`per layer`",
        Rule::layer_word => "`layer`",
        Rule::every | Rule::every_word => "`every`",
        Rule::setting | Rule::path => "a dotted name",
        Rule::line => "a rule",
        Rule::field => "a field",
        Rule::ident => "a name",
        Rule::index => "`[`",
        Rule::range => "a number",
        Rule::value => "a value",
        Rule::list => "`[`",
        Rule::word => "a word",
        Rule::args => "`(`",
        Rule::arg => "an argument",
        Rule::comparison => "`<=`, `>=`, `==`",
        Rule::target => "a number, a figure",
        Rule::reference => "`(`",
        Rule::tolerance => "`+-`",
        Rule::conditions => "`@`",
        Rule::condition => "a condition",
        Rule::brace_open => "`{`",
        Rule::brace_close => "`}`",
        Rule::paren_open => "`(`",
        Rule::paren_close => "`)`",
        Rule::bracket_open => "`[`",
        Rule::bracket_close => "`]`",
        Rule::equals => "`=`",
        Rule::comma => "`,`",
        Rule::dots => "`..`",
        Rule::at => "`@`",
        Rule::plus_minus => "`+-`",
        Rule::number => "a number",
        Rule::string => "a string",
        Rule::ident_tail | Rule::WHITESPACE | Rule::COMMENT => return None,
    })
}

/// The pieces of a piece, without the marks between them.
fn pieces<'i>(pair: Piece<'i>) -> impl Iterator<Item = Piece<'i>> {
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
    )
}

/// Where a piece ends. The parser lets a rule with an optional end run on over the
/// white space in front of what did not come; the last thing that did come is the end.
fn end(pair: &Piece) -> usize {
    match pair.as_rule() {
        Rule::line | Rule::target | Rule::word | Rule::binding | Rule::conditions | Rule::condition => {
            pair.clone().into_inner().next_back().map_or(pair.as_span().end(), |last| end(&last))
        }
        _ => pair.as_span().end(),
    }
}

/// Turns the parser's pairs into the tree. The grammar guarantees the pieces that
/// are asked for, so a missing one only ends the item it belongs to.
struct Builder<'a> {
    source: SourceId,
    /// Where in the text the parser began.
    base: usize,
    found: &'a mut Found,
    depth: usize,
}

impl Builder<'_> {
    fn span(&self, pair: &Piece) -> Span {
        Span::new(self.source, self.base + pair.as_span().start(), self.base + end(pair))
    }

    fn name(&self, pair: &Piece) -> Name {
        Name { text: pair.as_str().to_string(), span: self.span(pair) }
    }

    fn number(&self, pair: &Piece) -> Number {
        Number { text: pair.as_str().to_string(), span: self.span(pair) }
    }

    fn text(&mut self, pair: &Piece) -> Text {
        let span = self.span(pair);
        let raw = pair.as_str();
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
                    let at = Span::new(self.source, start + i, start + j + escape.len_utf8());
                    self.found.push(ParseError::UnknownEscape { escape, at });
                }
                None => {}
            }
        }
        Text { text, span }
    }

    fn model(&mut self, pair: Piece, doc: String) -> Option<Model> {
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
        Some(Model { doc, name: name?, extends, fields })
    }

    fn train(&mut self, pair: Piece) -> Option<Train> {
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
        Some(Train { at, name, fields })
    }

    fn binding(&mut self, pair: Piece) -> Option<Let> {
        let mut inner = pieces(pair);
        inner.next()?;
        let name = self.name(&inner.next()?);
        Some(Let { name, value: self.value(inner.next()?)? })
    }

    fn field(&mut self, pair: Piece) -> Option<Field> {
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
    fn value(&mut self, pair: Piece) -> Option<Value> {
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

    fn budget(&mut self, pair: Piece) -> Option<Budget> {
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

    fn rule(&mut self, pair: Piece) -> Option<crate::ast::Rule> {
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
