//! The canonical layout of a spec.
//!
//! The author decides what stands in a file and in which order, where blank lines and
//! comments are, and whether a model is written on one line. Everything else has one form:
//!
//! - A block in braces has a line for each field, four spaces in. One that is written on one
//!   line stays there while it fits; of a budget, only a single rule.
//! - `=` stands in one column for fields without a blank line between them; so do a
//!   budget's comparisons, its `@`, and comments at the ends of lines.
//! - A value that fits on its line stands on it. Of a longer one the arguments go on, aligned
//!   under the first: numbers and strings fill lines, words begin a new one, and an argument
//!   with arguments of its own has lines to itself.
//! - A list with comments of its own has a line for each argument.
//! - Of several blank lines one is kept; none at the start or the end of a block.
//!
//! Numbers and strings keep their spelling. A comment keeps its place: the line it is on is
//! that of the same token, before and after. That is why formatting twice changes nothing
//! more: the layout only depends on the tokens and on the places of comments and line
//! breaks that it keeps.
//!
//! `gap` says to which token a comment belongs, `build` makes the `tree` that is laid out,
//! `columns` aligns, `print` lays out, `write` holds the text that comes of it.

mod build;
mod columns;
mod ends;
mod gap;
mod print;
mod tree;
mod write;

pub use ends::with_line_ends_of;

use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::{Diagnostics, Found, finish};
use crate::error::ReadError;
use crate::parse;
use crate::read::MAX_SOURCE;
use crate::source::Sources;

/// Columns of a line.
const WIDTH: usize = 100;

/// The same text in the canonical layout; `name` is what messages call it.
///
/// Fails where the text has not the shape of a spec. Whether it means anything is not asked:
/// a text with an unknown word can be formatted.
///
/// ```
/// let text = "model a{dim=64 // width\nffn=dense( hidden = 128 )}";
/// let formatted = coec_lang::format("a.coe", text)?;
/// assert_eq!(formatted, "model a {\n    dim = 64    // width\n    ffn = dense(hidden=128)\n}\n");
/// # Ok::<(), coec_lang::Diagnostics>(())
/// ```
pub fn format(name: &str, text: &str) -> Result<String, Diagnostics> {
    let mut sources = Sources::default();
    let mut found = Found::default();
    let is_too_large = text.len() > MAX_SOURCE;
    // A text that is too long is not kept, as for a load; the message needs its name alone.
    let source = sources.add(name, if is_too_large { "" } else { text }, Path::new(""));
    let sources = Arc::new(sources);
    let too_large =
        || ReadError::TooLarge { path: name.into(), limit: MAX_SOURCE, at: sources.whole(source) };
    if is_too_large {
        found.push(too_large());
        return finish(None, found, &sources);
    }
    let mut builder = build::Builder::new(source, text);
    if !parse::items(source, text, |base, item| builder.item(base, item, &mut found)) {
        found = Found::default();
        parse::file(source, text, &mut found);
        return finish(None, found, &sources);
    }
    let formatted = print::file(&builder.finish());
    if formatted.len() > MAX_SOURCE {
        found.push(too_large());
    }
    finish(Some(formatted), found, &sources)
}
