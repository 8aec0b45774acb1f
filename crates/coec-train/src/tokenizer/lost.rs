//! How much of a text a tokenizer has no tokens for.
//!
//! A tokenizer that knows neither every character nor every byte puts an unknown token in their place,
//! or nothing at all. Nothing fails then, and a model learns from text with holes.

use serde::Deserialize;
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::TokenizerError;

/// How much of some text its tokens do not say.
///
/// White space is not counted: tokenizers of words leave it out, and put it back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Lost {
    /// Characters of the text.
    pub characters: u64,
    /// Those of them that no token but the unknown one stands for.
    pub lost_characters: u64,
    /// Tokens that are the unknown one.
    pub unknown_tokens: u64,
}

impl Serialize for Lost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut lost = serializer.serialize_struct("Lost", 4)?;
        lost.serialize_field("characters", &self.characters)?;
        lost.serialize_field("lost_characters", &self.lost_characters)?;
        lost.serialize_field("share", &self.share())?;
        lost.serialize_field("unknown_tokens", &self.unknown_tokens)?;
        lost.end()
    }
}

impl Lost {
    /// The share of the characters that is lost.
    pub fn share(&self) -> f64 {
        self.lost_characters as f64 / self.characters.max(1) as f64
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            characters: self.characters + other.characters,
            lost_characters: self.lost_characters + other.lost_characters,
            unknown_tokens: self.unknown_tokens + other.unknown_tokens,
        }
    }

    /// Fails if nothing is left.
    pub fn check(self) -> Result<Self, TokenizerError> {
        match self.characters > 0 && self.lost_characters == self.characters {
            true => Err(TokenizerError::AllLost { characters: self.characters }),
            false => Ok(self),
        }
    }

    /// What is lost in words, if anything is.
    pub fn words(&self) -> Option<String> {
        let Self { characters, lost_characters, unknown_tokens } = self;
        (*lost_characters > 0).then(|| {
            format!(
                "the tokenizer loses {:.2}% of the text: it has no token for {lost_characters} of {characters} \
                 characters, white space apart, and {unknown_tokens} times one that stands for unknown text",
                100.0 * self.share()
            )
        })
    }
}
