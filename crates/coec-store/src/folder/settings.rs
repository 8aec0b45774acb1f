//! Settings of a tokenizer and of generation, for a folder that has none of its own.

use serde_json::{Value, json};

use super::tokenizer_json::TokenizerJson;

/// A `tokenizer_config.json` with which `transformers` gives the very tokens that the file gives.
///
/// The class takes the file as it is; left to itself, the family's class would change how text is cut.
/// A token is named as the end only where it is an added one: any other would become one by being
/// named, and its text would no longer be cut as before.
pub(super) fn tokenizer_config(tokenizer_json: &str, ends: &[u32], context: usize) -> String {
    let mut settings = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": false,
        "model_max_length": context,
    });
    if let Ok(tokenizer) = serde_json::from_str::<TokenizerJson>(tokenizer_json) {
        // The class turns off what is not asked for.
        if tokenizer.adds_prefix_space() {
            settings["add_prefix_space"] = true.into();
        }
        if let Some(end) = ends.first().and_then(|&id| tokenizer.added(id)) {
            settings["eos_token"] = end.into();
        }
    }
    format!("{settings:#}\n")
}

/// A `generation_config.json` that says what ends a text.
pub(super) fn generation_config(ends: &[u32]) -> String {
    format!("{:#}\n", json!({ "eos_token_id": end_ids(ends) }))
}

/// End tokens as settings hold them: a number, or several.
pub(super) fn end_ids(ends: &[u32]) -> Value {
    match ends {
        [] => Value::Null,
        [one] => json!(one),
        several => json!(several),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(tokenizer: &Value, ends: &[u32]) -> Value {
        serde_json::from_str(&tokenizer_config(&tokenizer.to_string(), ends, 64)).unwrap()
    }

    #[test]
    fn the_class_takes_the_file_as_it_is() {
        let plain = json!({"added_tokens": [{"id": 1, "content": "<end>", "special": true}],
                           "model": {"vocab": {"a": 0}}});
        let made = config(&plain, &[1, 0]);
        assert_eq!(made["tokenizer_class"], "PreTrainedTokenizerFast");
        assert_eq!((&made["eos_token"], &made["model_max_length"]), (&json!("<end>"), &json!(64)));
        assert!(made.get("add_prefix_space").is_none());
        // A token that is none of the added ones would become one by being named.
        assert!(config(&plain, &[0]).get("eos_token").is_none());
        let spaced = json!({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": true}, "model": {}});
        assert_eq!(config(&spaced, &[])["add_prefix_space"], true);
    }

    #[test]
    fn one_end_is_a_number_and_several_are_a_list() {
        assert_eq!(end_ids(&[]), Value::Null);
        assert_eq!(end_ids(&[3]), json!(3));
        assert_eq!(end_ids(&[3, 1]), json!([3, 1]));
        assert_eq!(generation_config(&[3]), "{\n  \"eos_token_id\": 3\n}\n");
    }
}
