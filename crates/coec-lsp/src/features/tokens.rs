//! What every token is, for highlighting.

use coec_lang::outline::Role;
use gen_lsp_types::{SemanticToken, SemanticTokens, SemanticTokensLegend};

use crate::snapshot::Document;

/// The protocol's kinds of tokens that are told apart here.
const KINDS: [&str; 11] = [
    "keyword",
    "class",
    "variable",
    "property",
    "function",
    "enumMember",
    "macro",
    "number",
    "string",
    "comment",
    "operator",
];

/// What sets some apart from others of their kind.
const MODIFIERS: [&str; 3] = ["declaration", "documentation", "readonly"];

pub(crate) fn legend() -> SemanticTokensLegend {
    SemanticTokensLegend::new(KINDS.map(String::from).to_vec(), MODIFIERS.map(String::from).to_vec())
}

/// The kind and the modifiers of a role; `None` for what needs no colour of its own.
fn kind(role: Role) -> Option<(&'static str, &'static [&'static str])> {
    Some(match role {
        Role::Keyword => ("keyword", &[]),
        Role::Model { declared: true } => ("class", &["declaration"]),
        Role::Model { declared: false } => ("class", &[]),
        Role::Let { declared: true } => ("variable", &["declaration", "readonly"]),
        Role::Let { declared: false } => ("variable", &["readonly"]),
        Role::Field(..) | Role::Condition | Role::Path => ("property", &[]),
        Role::Block(_) => ("function", &[]),
        Role::Word(_) | Role::Constant | Role::Setting => ("enumMember", &[]),
        Role::Figure(_) => ("macro", &[]),
        Role::Number => ("number", &[]),
        Role::Text | Role::Spec => ("string", &[]),
        Role::Comment(false) => ("comment", &[]),
        Role::Comment(true) => ("comment", &["documentation"]),
        Role::Mark | Role::Unknown => return None,
    })
}

/// The tokens of a document. One that goes over several lines is one on each of them.
pub(crate) fn of(document: &Document) -> SemanticTokens {
    let mut data = Vec::new();
    let (mut line, mut character) = (0, 0);
    for token in &document.outline().tokens {
        let Some((name, modifiers)) = kind(token.role) else { continue };
        let token_type = KINDS.iter().position(|kind| *kind == name).unwrap_or_default() as u32;
        let bit =
            |modifier: &&str| 1 << MODIFIERS.iter().position(|known| known == modifier).unwrap_or_default();
        let token_modifiers_bitset = modifiers.iter().map(bit).sum();
        for piece in
            document.slice(token.start..token.end).split_inclusive('\n').scan(token.start, |at, piece| {
                let start = *at;
                *at += piece.len();
                Some(start..start + piece.trim_end_matches(['\r', '\n']).len())
            })
        {
            let span = document.text.span(piece);
            let length = span.end.character.saturating_sub(span.start.character);
            if length == 0 {
                continue;
            }
            let delta_line = span.start.line - line;
            let delta_start =
                if delta_line == 0 { span.start.character - character } else { span.start.character };
            (line, character) = (span.start.line, span.start.character);
            data.push(SemanticToken { delta_line, delta_start, length, token_type, token_modifiers_bitset });
        }
    }
    SemanticTokens::new(None, data)
}
