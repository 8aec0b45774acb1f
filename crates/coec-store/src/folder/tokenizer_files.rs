//! The files of a tokenizer, as `transformers` wants them.

use std::collections::BTreeMap;
use std::path::Path;

use super::companions::{Companions, GENERATION, TOKENIZER_CONFIG};
use super::ends::end_tokens;
use super::settings::{generation_config, tokenizer_config};
use super::source::text_if_there;
use super::{FolderError, TOKENIZER};

/// The tokenizer of a run or an import, if it has one.
#[derive(Default)]
pub struct TokenizerFiles {
    json: Option<String>,
    companions: Companions,
    ends: Vec<u32>,
}

impl TokenizerFiles {
    /// Those in a directory.
    pub fn of(run: &Path) -> Result<Self, FolderError> {
        let path = run.join(TOKENIZER);
        let Some(json) = text_if_there(&path)? else { return Ok(Self::default()) };
        let companions = Companions::of(&path)?;
        let ends = end_tokens(&json, &companions);
        Ok(Self { json: Some(json), companions, ends })
    }

    /// Its files; with those that `transformers` needs where it has none and they are `wanted`.
    pub fn files(&self, context: usize, wanted: bool) -> BTreeMap<&'static str, String> {
        let Some(json) = &self.json else { return BTreeMap::new() };
        let mut files = BTreeMap::from([(TOKENIZER, json.clone())]);
        if wanted {
            files.extend(self.companions.files());
            files.entry(TOKENIZER_CONFIG).or_insert_with(|| tokenizer_config(json, &self.ends, context));
            if !self.ends.is_empty() {
                files.entry(GENERATION).or_insert_with(|| generation_config(&self.ends));
            }
        }
        files
    }

    /// The tokens that end a text.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }
}
