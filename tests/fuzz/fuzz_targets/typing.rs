//! A text that is being typed: every token has a role, every place a site, and nothing breaks at any of them.
#![no_main]

use coec_lang::outline::{Outline, site};
use libfuzzer_sys::fuzz_target;

/// A change: where it begins and ends, in 65536ths of the text, and what is typed there.
type Edit<'t> = (u16, u16, &'t str);

/// The nearest place in front of a share of a text where a character begins.
fn place(text: &str, share: u16) -> usize {
    let mut at = text.len() * usize::from(share) / usize::from(u16::MAX);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Everything but white space is in one token, in order, and items and brackets are in the text.
fn look_at(text: &str) {
    let outline = Outline::of(text);
    let mut at = 0;
    let is_blank = |c: char| c.is_whitespace() || c == '\u{feff}';
    for token in &outline.tokens {
        assert!(at <= token.start && token.start < token.end);
        assert!(text[at..token.start].chars().all(is_blank), "{text:?}");
        at = token.end;
    }
    assert!(text[at..].chars().all(is_blank), "{text:?}");
    for item in &outline.items {
        let _ = &text[item.range.clone()];
        for part in &item.parts {
            let _ = (&text[part.name.clone()], &text[part.range.clone()]);
        }
    }
    // Some places of a long text, all of a short one.
    let step = text.len() / 64 + 1;
    for (at, _) in text.char_indices().step_by(step) {
        let found = site(text, at).map(|site| site.typed);
        assert!(found.is_none_or(|typed| typed.end == at && text.get(typed).is_some()));
        outline.token_at(at);
        outline.item_at(at);
    }
}

fuzz_target!(|input: (&str, Vec<Edit>)| {
    let (text, edits) = input;
    let mut text = text.to_owned();
    look_at(&text);
    for (start, end, new) in edits.into_iter().take(8) {
        let (start, end) = (place(&text, start.min(end)), place(&text, start.max(end)));
        text.replace_range(start..end, new);
        look_at(&text);
    }
});
