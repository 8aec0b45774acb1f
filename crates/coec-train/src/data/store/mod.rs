//! Text as tokens: made once, kept in the cache, read a window at a time.

mod build;
mod entry;
mod file;

use std::sync::Arc;

pub(crate) use build::{Making, tokenised};

use super::{DataError, Part};
use crate::tokenizer::Lost;
use file::TokenFile;

/// Set in a token that is read and not learnt.
pub(crate) const UNLEARNT: u32 = 1 << 31;

/// A part of the data as tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    ids: Ids,
    documents: u64,
    bytes: u64,
    /// Whether some are read and not learnt.
    has_prompts: bool,
    lost: Lost,
}

#[derive(Debug, Clone)]
enum Ids {
    Memory(Arc<[u32]>),
    File(Arc<TokenFile>),
}

impl Tokens {
    /// Tokens that fit into memory.
    pub(crate) fn in_memory(ids: Vec<u32>, documents: u64, bytes: u64, lost: Lost) -> Self {
        let has_prompts = ids.iter().any(|id| id & UNLEARNT != 0);
        Self { ids: Ids::Memory(ids.into()), documents, bytes, has_prompts, lost }
    }

    /// Tokens, separators included.
    pub fn len(&self) -> usize {
        match &self.ids {
            Ids::Memory(ids) => ids.len(),
            Ids::File(file) => file.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Documents.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// Whether some are read and not learnt.
    pub fn has_prompts(&self) -> bool {
        self.has_prompts
    }

    /// How much of the text no token stands for.
    pub fn lost(&self) -> Lost {
        self.lost
    }

    /// Bytes of text, a separator counting as one.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of text that a token stands for on average.
    ///
    /// A loss in nats a token, divided by this, is in nats a byte, which can be
    /// compared between tokenizers. For bytes it is exactly 1.
    pub fn bytes_per_token(&self) -> f64 {
        match self.len() {
            0 => 1.0,
            tokens => self.bytes as f64 / tokens as f64,
        }
    }

    /// `count` tokens from `start` on, with their marks.
    pub fn read(&self, start: usize, count: usize) -> Result<Vec<u32>, DataError> {
        match &self.ids {
            Ids::Memory(ids) => Ok(ids[start..start + count].to_vec()),
            Ids::File(file) => file.read(start, count),
        }
    }

    /// Windows of `context + 1` tokens, of which there must be one.
    pub(crate) fn windows(&self, context: usize, part: Part) -> Result<usize, DataError> {
        let windows = self.len().saturating_sub(1).checked_div(context).unwrap_or(0);
        match windows {
            0 => Err(DataError::TooSmall { part, tokens: self.len(), needed: context.saturating_add(1) }),
            windows => Ok(windows),
        }
    }
}
