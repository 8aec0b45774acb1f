//! The part of a `tokenizer.json` that names tokens.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

/// What is read of a `tokenizer.json` here.
#[derive(Debug, Deserialize)]
pub(super) struct TokenizerJson {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    model: Model,
}

#[derive(Debug, Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
    #[serde(default)]
    special: bool,
}

#[derive(Debug, Deserialize)]
struct Model {
    #[serde(default)]
    vocab: Vocab,
}

/// Tokens by name, or with a score each, numbered in their order.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Vocab {
    Ids(HashMap<String, u32>),
    Scores(Vec<(String, f64)>),
}

impl Default for Vocab {
    fn default() -> Self {
        Self::Scores(Vec::new())
    }
}

impl TokenizerJson {
    /// The number of a token.
    pub fn id(&self, name: &str) -> Option<u32> {
        let added = self.added_tokens.iter().find(|token| token.content == name).map(|token| token.id);
        added.or_else(|| match &self.model.vocab {
            Vocab::Ids(ids) => ids.get(name).copied(),
            Vocab::Scores(scores) => {
                scores.iter().position(|(token, _)| token == name).and_then(|id| u32::try_from(id).ok())
            }
        })
    }

    /// One more than the largest number.
    pub fn end(&self) -> u32 {
        let own = match &self.model.vocab {
            Vocab::Ids(ids) => ids.values().map(|id| id.saturating_add(1)).max().unwrap_or(0),
            Vocab::Scores(scores) => u32::try_from(scores.len()).unwrap_or(u32::MAX),
        };
        self.added_tokens.iter().map(|token| token.id.saturating_add(1)).fold(own, u32::max)
    }

    /// The added token of a number, whose text is that token wherever it stands.
    pub fn added(&self, id: u32) -> Option<&str> {
        self.added_tokens.iter().find(|token| token.id == id).map(|token| token.content.as_str())
    }

    /// The special tokens.
    pub fn special(&self) -> impl Iterator<Item = &str> {
        self.added_tokens.iter().filter(|token| token.special).map(|token| token.content.as_str())
    }

    /// Whether a token is a special one.
    pub fn is_special(&self, name: &str) -> bool {
        self.special().any(|special| special == name)
    }

    /// The token that the tokenizer puts behind a text.
    pub fn appended(&self) -> Option<&str> {
        self.processors().into_iter().find_map(|processor| match processor["type"].as_str() {
            Some("TemplateProcessing") => {
                processor["single"].as_array()?.last()?["SpecialToken"]["id"].as_str()
            }
            Some("BertProcessing" | "RobertaProcessing") => processor["sep"][0].as_str(),
            _ => None,
        })
    }

    /// The token of byte 0, where bytes are all the tokens there are: a byte is written as one character, and
    /// that one as U+0100.
    pub fn byte_0(&self) -> Option<&str> {
        const BYTE_0: &str = "\u{100}";
        let is_bytes = self.added_tokens.is_empty() && self.end() == 256 && self.id(BYTE_0) == Some(0);
        is_bytes.then_some(BYTE_0)
    }

    /// The post-processors, one by one.
    fn processors(&self) -> Vec<&Value> {
        match self.post_processor["processors"].as_array() {
            Some(several) => several.iter().collect(),
            None => vec![&self.post_processor],
        }
    }

    /// Whether a space is put in front of a text before it is cut into words.
    pub fn adds_prefix_space(&self) -> bool {
        self.pre_tokenizer["add_prefix_space"].as_bool() == Some(true)
    }
}
