//! Text as tokens, and back.

use std::error::Error;
use std::path::Path;

use tokenizers::Tokenizer;

use super::ends::ends;

/// Text as tokens: by a tokenizer, or byte by byte.
pub struct Text {
    tokenizer: Option<Tokenizer>,
    /// One more than the largest token.
    pub vocab: usize,
    /// The tokens that end a text, the one between documents first.
    pub ends: Vec<u32>,
}

impl Text {
    /// By the `tokenizer.json` at `path`; without one each byte is a token.
    pub fn open(path: Option<&Path>) -> Result<Self, Box<dyn Error>> {
        let Some(path) = path else { return Ok(Self { tokenizer: None, vocab: 256, ends: vec![0] }) };
        let mut tokenizer = Tokenizer::from_file(path).map_err(|error| error.to_string())?;
        // A text is its own tokens, however many there are.
        tokenizer.with_padding(None).with_truncation(None).map_err(|error| error.to_string())?;
        let vocab = tokenizer.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        let ends = ends(&tokenizer, vocab, path);
        Ok(Self { tokenizer: Some(tokenizer), vocab, ends })
    }

    pub fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        match &self.tokenizer {
            Some(tokenizer) => {
                let encoding = tokenizer.encode(text, false).map_err(|error| error.to_string())?;
                Ok(encoding.get_ids().to_vec())
            }
            None => Ok(text.bytes().map(u32::from).collect()),
        }
    }

    /// The text of a prompt and what continues it, together: a continuation decoded alone may lose the
    /// space it begins with.
    pub fn decode(&self, prompt: &[u32], written: &[u32]) -> Result<String, String> {
        let ids = [prompt, written].concat();
        match &self.tokenizer {
            Some(tokenizer) => tokenizer.decode(&ids, false).map_err(|error| error.to_string()),
            None => {
                let bytes: Vec<u8> = ids.iter().filter_map(|&id| u8::try_from(id).ok()).collect();
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
        }
    }
}
