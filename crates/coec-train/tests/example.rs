//! Text in the example of a generated crate, which is compiled here as it is written there: the same
//! tokens, text and ends as `coec generate` has.

#[path = "../../coec-emit/templates/generate/ends.rs"]
mod ends;
#[path = "../../coec-emit/templates/generate/text.rs"]
mod text;

use std::fs;
use std::path::{Path, PathBuf};

use coec_train::tokenizer::Tokenizer;

use text::Text;

fn goldens() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/goldens/tokenizers")
}

fn names() -> Vec<String> {
    let files =
        fs::read_dir(goldens()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = files
        .filter_map(|file| file.strip_suffix(".json").map(str::to_owned))
        .filter(|n| n != "cases")
        .collect();
    names.sort();
    names
}

fn both(path: &Path) -> (Text, Tokenizer) {
    (Text::open(Some(path)).unwrap(), Tokenizer::load(path).unwrap())
}

#[test]
fn a_prompt_and_its_continuation_have_the_text_that_coec_gives_them() {
    for name in names() {
        let (text, tokenizer) = both(&goldens().join(format!("{name}.json")));
        assert_eq!(text.vocab, tokenizer.vocab_size(), "{name}");
        for words in ["red green", " red  blue.", "She isn't here."] {
            let ids = text.encode(words).unwrap();
            assert_eq!(ids, tokenizer.encode(words).unwrap(), "{name}");
            for at in 0..=ids.len() {
                let (prompt, written) = ids.split_at(at);
                assert_eq!(
                    text.decode(prompt, written).unwrap(),
                    tokenizer.decode(&ids).unwrap(),
                    "{name}: {words:?} at {at}"
                );
            }
        }
    }
    let bytes = Text::open(None).unwrap();
    let ids = bytes.encode("é").unwrap();
    assert_eq!((bytes.vocab, bytes.decode(&ids[..1], &ids[1..]).unwrap()), (256, "é".into()));
}

#[test]
fn what_ends_a_text_ends_it_for_coec_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let kept = folder.path().join("hf");
    fs::create_dir(&kept).unwrap();
    // In this order, each added to those before.
    let settings = [
        ("hf/config.json", "{\"eos_token_id\": 4}"),
        ("generation_config.json", "{\"eos_token_id\": [5, 4, 999999]}"),
        ("hf/generation_config.json", "{\"eos_token_id\": 6}"),
        ("special_tokens_map.json", "{\"eos_token\": {\"content\": \"red\"}}"),
        ("tokenizer_config.json", "{\"eos_token\": \"e\"}"),
        ("config.json", "no JSON"),
    ];
    let bytes = ("bytes".to_owned(), Tokenizer::Bytes.to_json().unwrap());
    let read =
        |name: String| (name.clone(), fs::read_to_string(goldens().join(format!("{name}.json"))).unwrap());
    for (name, json) in names().into_iter().map(read).chain([bytes]) {
        fs::write(&path, json).unwrap();
        let (text, tokenizer) = both(&path);
        assert_eq!(text.ends, tokenizer.ends(), "{name}");
        for (file, json) in settings {
            fs::write(folder.path().join(file), json).unwrap();
            let (text, tokenizer) = both(&path);
            assert_eq!(text.ends, tokenizer.ends(), "{name} with {file}");
        }
        settings.iter().for_each(|(file, _)| fs::remove_file(folder.path().join(file)).unwrap());
    }
}

#[test]
fn settings_are_heard_before_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    fs::copy(goldens().join("byte_level.json"), &path).unwrap();
    assert_eq!(Text::open(Some(&path)).unwrap().ends, [0], "<|endoftext|>");
    fs::write(folder.path().join("config.json"), "{\"eos_token_id\": [7, 9]}").unwrap();
    assert_eq!(Text::open(Some(&path)).unwrap().ends, [7, 9]);
}
