//! A character that stands for a space.

use tokenizers::pre_tokenizers::metaspace::{self, PrependScheme};

use super::stage::{Part, Stage};

/// The step `Metaspace`: the character is a space, but nothing in the first token, where it was put in
/// front of the text.
#[derive(Debug)]
pub(super) struct Metaspace {
    replacement: char,
    /// Whether the token is one to leave the character out of.
    is_first: bool,
}

impl Metaspace {
    pub fn new(metaspace: &metaspace::Metaspace) -> Self {
        let is_first = metaspace.get_prepend_scheme() != PrependScheme::Never;
        Self { replacement: metaspace.get_replacement(), is_first }
    }
}

impl Stage for Metaspace {
    fn push(&mut self, part: Part, out: &mut Vec<Part>) -> Result<(), String> {
        let space = if self.is_first { "" } else { " " };
        self.is_first &= !part.ends;
        out.push(Part { text: part.text.replace(self.replacement, space), ends: part.ends });
        Ok(())
    }
}
