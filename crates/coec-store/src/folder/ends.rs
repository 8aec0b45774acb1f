//! The tokens that end a text.

use super::companions::{Companions, distinct};
use super::tokenizer_json::TokenizerJson;

/// What ends a text, by the names tokenizers in use give it.
const NAMES: &[&str] = &[
    "<|endoftext|>",
    "<|end_of_text|>",
    "<｜end▁of▁sentence｜>",
    "</s>",
    "<eos>",
    "<|eos|>",
    "<|im_end|>",
    "<|eot_id|>",
    "[SEP]",
    "[EOS]",
    "<|end|>",
    "<end_of_turn>",
    "<|return|>",
];

/// What special tokens are called that end nothing.
const OTHERS: &[&str] = &["unk", "pad", "bos", "cls", "mask", "start", "begin"];

/// The tokens that end a text, the one that separates documents first; none where nothing says so.
///
/// It is what the settings beside the tokenizer say, all of them: the tokenizer's `eos_token`, and
/// `eos_token_id` of the model's. Where they say nothing, it is the special tokens of a usual name; else
/// the one that the tokenizer itself puts behind a text; else the only special token there is.
pub fn end_tokens(tokenizer_json: &str, companions: &Companions) -> Vec<u32> {
    let Ok(tokenizer) = serde_json::from_str::<TokenizerJson>(tokenizer_json) else { return Vec::new() };
    let named = companions.end_name().and_then(|name| tokenizer.id(name));
    let mut found: Vec<u32> = named.into_iter().chain(companions.end_ids()).collect();
    let end = tokenizer.end();
    found.retain(|&id| id < end);
    if found.is_empty() {
        found = by_name(&tokenizer);
    }
    if found.is_empty() {
        let last = tokenizer.appended().or_else(|| only_special(&tokenizer));
        found.extend(last.and_then(|name| tokenizer.id(name)));
    }
    distinct(found)
}

/// The usual names: the first of them may be any token's, the others only special ones'.
fn by_name(tokenizer: &TokenizerJson) -> Vec<u32> {
    let ids = NAMES.iter().filter_map(|name| Some((*name, tokenizer.id(name)?)));
    let mut ids = ids.collect::<Vec<_>>().into_iter();
    let first = ids.next().map(|(_, id)| id);
    first.into_iter().chain(ids.filter(|(name, _)| tokenizer.is_special(name)).map(|(_, id)| id)).collect()
}

/// The special token that is the only one, unless its name says that it is for something else.
fn only_special(tokenizer: &TokenizerJson) -> Option<&str> {
    let is_end = |name: &&str| !OTHERS.iter().any(|other| name.to_ascii_lowercase().contains(other));
    let mut special = tokenizer.special().filter(is_end);
    special.next().filter(|_| special.next().is_none())
}
