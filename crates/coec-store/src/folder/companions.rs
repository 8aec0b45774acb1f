//! The files that lie around a `tokenizer.json` and say more of it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::source::text_if_there;
use super::{CONFIG, FolderError, KEPT};

/// Where a model says how it writes, and with which tokens it ends.
pub(super) const GENERATION: &str = "generation_config.json";

/// Where a tokenizer says which class reads it, and what its special tokens are for.
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// What of a tokenizer is in other files than `tokenizer.json`.
pub const COMPANIONS: [&str; 5] =
    [TOKENIZER_CONFIG, "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", GENERATION];

/// The [`COMPANIONS`] of a tokenizer, as far as there are any, and what the model's own settings say
/// of its tokens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Companions {
    files: BTreeMap<&'static str, String>,
    /// The settings that are JSON, read.
    settings: BTreeMap<&'static str, Value>,
}

impl Companions {
    /// Those of the tokenizer at `path`: beside it or, as an import keeps them, in `hf/` there.
    pub fn of(path: &Path) -> Result<Self, FolderError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut found = Self::default();
        for file in COMPANIONS.into_iter().chain([CONFIG]) {
            let (beside, kept) = (folder.join(file), folder.join(KEPT).join(file));
            let (at, text) = match text_if_there(&beside)? {
                Some(text) => (beside, text),
                None => match text_if_there(&kept)? {
                    Some(text) => (kept, text),
                    None => continue,
                },
            };
            match serde_json::from_str::<Value>(&text) {
                Ok(value) => drop(found.settings.insert(file, value)),
                // Any folder may hold a config.json that is somebody else's.
                Err(_) if file == CONFIG || !file.ends_with(".json") => {}
                Err(error) => return Err(FolderError::NotJson { path: at, reason: error.to_string() }),
            }
            if file != CONFIG {
                found.files.insert(file, text);
            }
        }
        Ok(found)
    }

    /// The name of the token that ends a text, as the tokenizer's settings have it.
    pub(super) fn end_name(&self) -> Option<&str> {
        let files = [TOKENIZER_CONFIG, "special_tokens_map.json"];
        files.iter().find_map(|file| {
            let token = &self.settings.get(file)?["eos_token"];
            token.as_str().or_else(|| token["content"].as_str())
        })
    }

    /// The tokens that end a text, as the model's settings number them.
    pub(super) fn end_ids(&self) -> Vec<u32> {
        [GENERATION, CONFIG].into_iter().flat_map(|file| self.ids_in(file)).collect()
    }

    fn ids_in(&self, file: &str) -> Vec<u32> {
        let ids = self.settings.get(file).map(|settings| &settings["eos_token_id"]);
        let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
        match ids {
            Some(Value::Array(ids)) => ids.iter().filter_map(id).collect(),
            Some(one) => id(one).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// The files that keep what is said here, for a folder that has no `config.json` of the model.
    pub fn files(&self) -> BTreeMap<&'static str, String> {
        let mut files = self.files.clone();
        let (ids, known) = (self.end_ids(), self.ids_in(GENERATION));
        if ids.iter().any(|id| !known.contains(id)) {
            let mut settings = self.settings.get(GENERATION).cloned().unwrap_or_else(|| json!({}));
            settings["eos_token_id"] = json!(distinct(ids));
            files.insert(GENERATION, format!("{settings:#}\n"));
        }
        files
    }
}

/// The same without what was there before.
pub(super) fn distinct(ids: Vec<u32>) -> Vec<u32> {
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        if !found.contains(&id) {
            found.push(id);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn of(files: &[(&str, &str)]) -> Result<Companions, FolderError> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(KEPT)).unwrap();
        for (file, text) in files {
            fs::write(folder.path().join(file), text).unwrap();
        }
        Companions::of(&folder.path().join("tokenizer.json"))
    }

    #[test]
    fn settings_that_are_no_json_are_refused_unless_they_may_be_somebody_elses() {
        assert_eq!(of(&[("tokenizer_config.json", "{")]).unwrap_err().code(), "coec::folder::not_json");
        assert_eq!(of(&[("hf/generation_config.json", "")]).unwrap_err().code(), "coec::folder::not_json");
        assert_eq!(of(&[("config.json", "port = 80")]).unwrap(), Companions::default());
        assert_eq!(of(&[("chat_template.jinja", "{{ a }}")]).unwrap().files().len(), 1);
    }

    #[test]
    fn files_keep_what_the_settings_of_the_model_say() {
        let none = of(&[("tokenizer_config.json", "{}")]).unwrap().files();
        assert_eq!(none.keys().collect::<Vec<_>>(), [&TOKENIZER_CONFIG]);
        let files = of(&[
            ("config.json", "{\"eos_token_id\": 3}"),
            (GENERATION, "{\"eos_token_id\": 4, \"top_k\": 2}"),
        ]);
        let settings: Value = serde_json::from_str(&files.unwrap().files()[GENERATION]).unwrap();
        assert_eq!(settings, json!({"eos_token_id": [4, 3], "top_k": 2}));
        // What says it already stays as it is, to the byte.
        let text = "{ \"eos_token_id\": [3] }";
        let files = of(&[("config.json", "{\"eos_token_id\": 3}"), (GENERATION, text)]).unwrap().files();
        assert_eq!(files[GENERATION], text);
    }
}
