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
/// the one that the tokenizer itself puts behind a text; else the only special token there is. Where each
/// byte is a token and there is no other, it is byte 0.
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
        let last = tokenizer.appended().or_else(|| only_special(&tokenizer)).or_else(|| tokenizer.byte_0());
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

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::*;

    /// A tokenizer of these special tokens, numbered from 0 on, and of others behind them.
    fn tokenizer(special: &[&str], others: &[&str], post_processor: &Value) -> String {
        let added: Vec<_> = special
            .iter()
            .enumerate()
            .map(|(id, name)| json!({"id": id, "content": name, "special": true}))
            .collect();
        let others =
            others.iter().enumerate().map(|(at, name)| ((*name).to_owned(), json!(special.len() + at)));
        let vocab: serde_json::Map<_, _> = others.collect();
        json!({"added_tokens": added, "post_processor": post_processor, "model": {"vocab": vocab}})
            .to_string()
    }

    /// What ends a text of a tokenizer with some files around it.
    fn ends(tokenizer: &str, files: &[(&str, Value)]) -> Vec<u32> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("hf")).unwrap();
        for (file, json) in files {
            fs::write(folder.path().join(file), json.to_string()).unwrap();
        }
        end_tokens(tokenizer, &Companions::of(&folder.path().join("tokenizer.json")).unwrap())
    }

    #[test]
    fn settings_say_what_ends_a_text_all_of_them_and_the_tokenizers_first() {
        let tokenizer = tokenizer(&["<|endoftext|>", "<|stop|>"], &["a", "b", "c"], &Value::Null);
        let name = ("tokenizer_config.json", json!({"eos_token": {"content": "<|stop|>"}}));
        let generation = ("generation_config.json", json!({"eos_token_id": [4, 1]}));
        let config = ("config.json", json!({"eos_token_id": 3}));
        assert_eq!(ends(&tokenizer, &[]), [0]);
        assert_eq!(ends(&tokenizer, std::slice::from_ref(&config)), [3]);
        assert_eq!(ends(&tokenizer, &[generation.clone(), config.clone()]), [4, 1, 3]);
        assert_eq!(ends(&tokenizer, &[name, generation, config]), [1, 4, 3]);
        let map = ("special_tokens_map.json", json!({"eos_token": "b"}));
        assert_eq!(ends(&tokenizer, &[map]), [3]);
    }

    #[test]
    fn settings_of_an_import_lie_in_a_folder_of_their_own() {
        let tokenizer = tokenizer(&["<|endoftext|>"], &["a", "b"], &Value::Null);
        let kept = ("hf/config.json", json!({"eos_token_id": 2}));
        assert_eq!(ends(&tokenizer, std::slice::from_ref(&kept)), [2]);
        assert_eq!(ends(&tokenizer, &[kept, ("config.json", json!({"eos_token_id": 1}))]), [1]);
    }

    #[test]
    fn what_settings_name_and_the_tokenizer_lacks_ends_nothing() {
        let tokenizer = tokenizer(&["</s>"], &["a"], &Value::Null);
        for nothing in [json!(2), json!([]), json!(null), json!(-1), json!("</s>"), json!([1e9, 7])] {
            assert_eq!(ends(&tokenizer, &[("config.json", json!({"eos_token_id": nothing}))]), [0]);
        }
        assert_eq!(ends(&tokenizer, &[("tokenizer_config.json", json!({"eos_token": "<eos>"}))]), [0]);
    }

    #[test]
    fn without_settings_usual_names_are_known() {
        let of = |special: &[&str], others: &[&str]| ends(&tokenizer(special, others, &Value::Null), &[]);
        assert_eq!(of(&["<|im_end|>", "<|endoftext|>"], &[]), [1, 0]);
        // A name that somebody's text may have is an end only where the tokenizer says it is special.
        assert_eq!(of(&["</s>"], &["<|end|>"]), [0]);
        assert_eq!(of(&["[CLS]"], &["[SEP]", "a"]), [1]);
        assert_eq!(of(&["<done>"], &["a"]), [0], "the only special one");
        assert_eq!(of(&["<unk>", "<done>", "<pad>"], &["a"]), [1]);
        assert!(of(&["<done>", "<gone>"], &["a"]).is_empty());
        assert!(of(&[], &["a"]).is_empty());
    }

    #[test]
    fn what_is_put_behind_a_text_ends_one() {
        let template = json!({"type": "TemplateProcessing", "single": [
            {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<two>", "type_id": 0}}]});
        let sequence = json!({"type": "Sequence", "processors": [{"type": "ByteLevel"}, template]});
        let bert = json!({"type": "BertProcessing", "sep": ["<two>", 1], "cls": ["<one>", 0]});
        for post_processor in [template, sequence, bert] {
            assert_eq!(ends(&tokenizer(&["<one>", "<two>"], &["a"], &post_processor), &[]), [1]);
        }
    }

    #[test]
    fn where_bytes_are_the_tokens_byte_0_ends_a_text() {
        let of = |first: &str, others: u32| {
            let other = |id| (char::from_u32(0x2000 + id).unwrap().to_string(), json!(id));
            let mut vocab: serde_json::Map<_, _> = (1..=others).map(other).collect();
            vocab.insert(first.into(), json!(0));
            ends(&json!({"model": {"vocab": vocab}}).to_string(), &[])
        };
        assert_eq!(of("Ā", 255), [0]);
        assert!(of("Ā", 256).is_empty() && of("a", 255).is_empty());
    }

    #[test]
    fn tokens_with_scores_are_numbered_in_their_order() {
        let json = json!({"model": {"vocab": [["<pad>", 0.0], ["</s>", 0.0], ["▁a", -2.5]]}}).to_string();
        assert_eq!(ends(&json, &[]), [1]);
        assert!(ends("no JSON", &[]).is_empty());
    }
}
