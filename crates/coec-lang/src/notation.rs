//! The paper's notation: `CoE-2(4/64)`, `MoE(8/64)`.

use crate::ast::{Arg, Model, Name, Value, ValueKind, Word};
use crate::source::{SourceId, Span};

/// A model as the paper writes it: C iterations of K experts each, among N with the shared one.
#[derive(Debug, PartialEq)]
struct Parts<'a> {
    iter: Option<&'a str>,
    k: &'a str,
    total: &'a str,
}

/// Whether a spec path means the paper's notation rather than a file.
pub fn is_notation(text: &str) -> bool {
    let word = text.get(..3).unwrap_or_default();
    let after = text.get(3..).unwrap_or_default();
    (word.eq_ignore_ascii_case("coe") || word.eq_ignore_ascii_case("moe"))
        && after.starts_with(['-', '(', ' '])
        && text.contains('(')
        && text.ends_with(')')
}

/// The model of a text in the paper's notation, every value pointing into it; or why it is none.
pub(crate) fn model(source: SourceId, text: &str) -> Result<Model, &'static str> {
    let whole = Span::new(source, 0, text.len());
    let parts = split(text)?;
    let span = |part: &str| {
        // `part` is a piece of `text`, so the difference of their addresses is its place.
        let start = part.as_ptr() as usize - text.as_ptr() as usize;
        Span::new(source, start, start + part.len())
    };
    let total: u64 = parts.total.parse().map_err(|_| "the number of experts is too large")?;
    let Some(experts) = total.checked_sub(1).filter(|routed| *routed > 0) else {
        return Err("the last number counts the shared expert, so it is at least 2");
    };
    let number = |part: &str, value: String| Value { kind: ValueKind::Number(value), span: span(part) };
    let word = |value: &str| Value {
        kind: ValueKind::Word(Word { name: Name { text: value.into(), span: whole }, args: None }),
        span: whole,
    };
    let iter = match parts.iter {
        Some(iter) => number(iter, iter.into()),
        None => Value { kind: ValueKind::Number("1".into()), span: whole },
    };
    let args = [
        ("iter", iter),
        ("k", number(parts.k, parts.k.into())),
        ("experts", number(parts.total, experts.to_string())),
        ("shared", number(parts.total, "1".into())),
        ("residual", word("inner")),
    ];
    let args = args.into_iter().map(|(key, value)| {
        let key = Some(Name { text: key.into(), span: value.span });
        Arg { key, value }
    });
    let coe = Word { name: Name { text: "coe".into(), span: whole }, args: Some(args.collect()) };
    let name = match parts.iter {
        Some(iter) => format!("coe_{iter}_{}_{}", parts.k, parts.total),
        None => format!("moe_{}_{}", parts.k, parts.total),
    };
    let field = crate::ast::Field {
        name: Name { text: coec_ir::table::FFN.into(), span: whole },
        index: None,
        value: Value { kind: ValueKind::Word(coe), span: whole },
    };
    Ok(Model {
        broken: false,
        doc: format!("{text} as the paper counts: {experts} routed + 1 shared."),
        name: Name { text: name, span: whole },
        extends: None,
        fields: vec![field],
    })
}

fn split(text: &str) -> Result<Parts<'_>, &'static str> {
    let chain = text[..3].eq_ignore_ascii_case("coe");
    let (before, rest) = text[3..].split_once('(').ok_or("expected `(`")?;
    let inside = rest.strip_suffix(')').ok_or("expected `)` at the end")?;
    let iter = match (chain, before.trim()) {
        (false, "") => None,
        (false, _) => return Err("an MoE has one iteration: expected `(` after `MoE`"),
        (true, before) => Some(
            digits(before.strip_prefix('-').unwrap_or_default()).ok_or("expected `-` and the iterations")?,
        ),
    };
    let (k, total) = inside.split_once('/').ok_or("expected `K/N` between the brackets")?;
    let k = digits(k).ok_or("expected the experts selected in front of the `/`")?;
    let total = digits(total).ok_or("expected the number of experts behind the `/`")?;
    Ok(Parts { iter, k, total })
}

fn digits(text: &str) -> Option<&str> {
    let text = text.trim();
    // More digits than any field could hold would only make a long name.
    (!text.is_empty() && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_path_stays_one() {
        for path in ["coe.coe", "coe2_4_64.coe", "coe-2-4.coe", "moe", "", "cöe(1)"] {
            assert!(!is_notation(path), "{path}");
        }
        for text in ["CoE-2(4/64)", "MoE(8/64)", "coe-2(4/64)", "CoE-2(4,64)", "CoE(4/64)"] {
            assert!(is_notation(text), "{text}");
        }
    }

    #[test]
    fn parts() {
        assert_eq!(split("CoE-2(4/64)"), Ok(Parts { iter: Some("2"), k: "4", total: "64" }));
        assert_eq!(split("MoE(8/64)"), Ok(Parts { iter: None, k: "8", total: "64" }));
        for text in ["CoE(4/64)", "CoE-(4/64)", "CoE-2(4/)", "CoE-2(4)", "MoE-2(4/64)", "CoE-x(4/64)"] {
            assert!(split(text).is_err(), "{text}");
        }
    }
}
