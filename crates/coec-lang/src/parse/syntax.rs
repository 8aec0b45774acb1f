//! Syntax errors in the words of the language.

use pest::error::{ErrorVariant, InputLocation};

use super::Rule;
use crate::error::ParseError;
use crate::source::{SourceId, Span};
use crate::suggest;

/// Where the parser gave up, in a text of which it read what begins at `start`.
pub(super) fn place(start: usize, error: &pest::error::Error<Rule>) -> usize {
    match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => start + at,
    }
}

/// A parser error in terms of the language.
pub(super) fn syntax_error(
    rule: Rule,
    source: SourceId,
    text: &str,
    start: usize,
    error: &pest::error::Error<Rule>,
) -> ParseError {
    let at = place(start, error);
    let attempted: &[Rule] = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives,
        ErrorVariant::CustomError { .. } => &[],
    };
    let describe = |attempted: &Rule| match (attempted, rule) {
        // Read by itself, a field ends where its text does.
        (Rule::EOI, Rule::one_field) => Some("another field or `}`"),
        (Rule::EOI, Rule::one_line) => Some("another rule or `}`"),
        (Rule::EOI, Rule::one_axis) => Some("another line or `}`"),
        _ => describe(attempted),
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
        _ if expected.contains("`layer`") => {
            "a rule for every layer that has experts ends in `per layer`: `experts.calls == 10 per layer`"
        }
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
            "a file holds `model NAME { ... }`, `budget { ... }`, `train { ... }`, `sweep { ... }`, `let name = value`, \
             or one block such as `coe(iter=2, k=4, experts=64)`"
        }
    }
}

/// What a rule of the grammar is to someone who writes a spec.
fn describe(rule: &Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::EOI => "the end of the text",
        Rule::next | Rule::item | Rule::model | Rule::model_head | Rule::model_word => "`model`",
        Rule::budget | Rule::budget_head | Rule::budget_word => "`budget`",
        Rule::train | Rule::train_head | Rule::train_word => "`train`",
        Rule::binding | Rule::let_word => "`let`",
        Rule::sweep | Rule::sweep_head | Rule::sweep_word => "`sweep`",
        Rule::axis | Rule::one_axis | Rule::values => "a field with values",
        Rule::fitted | Rule::fit_word => "`fit`",
        Rule::under_word => "`under`",
        Rule::derived | Rule::with_word => "`with`",
        Rule::sum | Rule::product | Rule::factor => "a number, a field",
        Rule::plus => "`+`",
        Rule::minus => "`-`",
        Rule::times => "`*`",
        Rule::over => "`/`",
        Rule::block => "a block",
        Rule::extends_word => "`extends`",
        Rule::warn_word => "`warn`",
        Rule::per_layer | Rule::per_word => "`per layer`",
        Rule::layer_word => "`layer`",
        Rule::every | Rule::every_word => "`every`",
        Rule::setting | Rule::path => "a dotted name",
        Rule::line | Rule::one_line => "a rule",
        Rule::field | Rule::one_field => "a field",
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
