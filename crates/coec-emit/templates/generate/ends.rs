//! The tokens that end a text.

use std::path::Path;

use serde_json::Value;
use tokenizers::Tokenizer;

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

/// The tokens that end a text, the one between documents first: those that the settings beside the
/// tokenizer at `path` name, or in `hf/` there. Where they name none, it is the special tokens of a usual
/// name; else the one that the tokenizer itself puts behind a text; else the only special token there is.
/// Where each byte is a token and there is no other, it is byte 0.
pub fn ends(tokenizer: &Tokenizer, vocab: usize, path: &Path) -> Vec<u32> {
    let settings = |file: &str| settings(path, file);
    let named = ["tokenizer_config.json", "special_tokens_map.json"].into_iter().filter_map(settings);
    let named = named.filter_map(|settings| name(&settings["eos_token"])).next();
    let named = named.and_then(|name| tokenizer.token_to_id(&name));
    let numbered = ["generation_config.json", "config.json"].into_iter().filter_map(settings);
    let numbered = numbered.flat_map(|settings| numbers(&settings["eos_token_id"]));
    let mut found: Vec<u32> = named.into_iter().chain(numbered).collect();
    found.retain(|&id| (id as usize) < vocab);
    if found.is_empty() {
        found = of_usual_names(tokenizer);
    }
    if found.is_empty() {
        let last = appended(tokenizer).or_else(|| only_special(tokenizer));
        let last = last.and_then(|name| tokenizer.token_to_id(&name));
        // GPT-2's table writes byte 0 as U+0100.
        let byte_0 = || tokenizer.token_to_id("\u{100}").filter(|&id| id == 0 && vocab == 256);
        found.extend(last.or_else(byte_0));
    }
    let mut ends = Vec::new();
    for id in found {
        if !ends.contains(&id) {
            ends.push(id);
        }
    }
    ends
}

/// A file of settings beside the tokenizer, or in `hf/` there, where an import keeps it.
fn settings(path: &Path, file: &str) -> Option<Value> {
    let places = [path.with_file_name(file), path.with_file_name("hf").join(file)];
    let text = places.iter().find_map(|place| std::fs::read(place).ok())?;
    serde_json::from_slice(&text).ok()
}

/// The name of a token, which settings write alone or with what else is said of it.
fn name(token: &Value) -> Option<String> {
    token.as_str().or_else(|| token["content"].as_str()).map(str::to_owned)
}

/// The number of a token, or those of several.
fn numbers(ids: &Value) -> Vec<u32> {
    let ids = ids.as_array().map_or(std::slice::from_ref(ids), Vec::as_slice);
    ids.iter().filter_map(|id| u32::try_from(id.as_u64()?).ok()).collect()
}

/// The first of the usual names may be any token's, the others only special ones'.
fn of_usual_names(tokenizer: &Tokenizer) -> Vec<u32> {
    let special = special(tokenizer);
    let mut ids = NAMES.iter().filter_map(|&name| Some((name, tokenizer.token_to_id(name)?)));
    let first = ids.next().map(|(_, id)| id);
    let others = ids.filter(|(name, _)| special.iter().any(|special| special == name)).map(|(_, id)| id);
    first.into_iter().chain(others).collect()
}

fn special(tokenizer: &Tokenizer) -> Vec<String> {
    let added = tokenizer.get_added_tokens_decoder().into_values();
    added.filter(|token| token.special).map(|token| token.content).collect()
}

/// The token that the tokenizer puts behind a text.
fn appended(tokenizer: &Tokenizer) -> Option<String> {
    let processor = serde_json::to_value(tokenizer.get_post_processor()).ok()?;
    let several = processor["processors"].as_array();
    let processors = several.map_or(std::slice::from_ref(&processor), Vec::as_slice);
    let last = |processor: &Value| match processor["type"].as_str()? {
        "TemplateProcessing" => name(&processor["single"].as_array()?.last()?["SpecialToken"]["id"]),
        "BertProcessing" | "RobertaProcessing" => name(&processor["sep"][0]),
        _ => None,
    };
    processors.iter().find_map(last)
}

/// The special token that is the only one, unless its name says that it is for something else.
fn only_special(tokenizer: &Tokenizer) -> Option<String> {
    let is_end = |name: &String| !OTHERS.iter().any(|other| name.to_ascii_lowercase().contains(other));
    let mut special = special(tokenizer).into_iter().filter(is_end);
    special.next().filter(|_| special.next().is_none())
}
