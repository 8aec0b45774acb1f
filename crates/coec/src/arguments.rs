//! What arguments are short for.

#[cfg(feature = "train")]
use std::io;
use std::path::Path;

use crate::failure::Failure;

/// A path as a spec's; one with `#` in it would be read as `path#model`.
pub fn path_of(path: &Path) -> Result<String, Failure> {
    match path.to_str() {
        Some(path) => Ok(path.to_string()),
        None => Err(Failure::input(
            "coec::cli::path",
            format!("{} is not UTF-8", path.display()),
            "rename the folder",
        )),
    }
}

/// `--data PATH` as the setting it is short for; records are put into `template` where there is one.
#[cfg(feature = "train")]
pub fn data_setting(path: &str, template: Option<&str>) -> String {
    let quoted = coec_ir::text::string(path);
    if !path.ends_with(".jsonl") {
        return format!("train.data=text({quoted})");
    }
    if let Some(template) = template {
        return format!("train.data=jsonl({quoted}, template={})", coec_ir::text::string(template));
    }
    // The fields of the first record say which template fits.
    let has_text = std::fs::File::open(path).is_ok_and(|file| {
        let mut first = String::new();
        let _ = io::BufRead::read_line(&mut io::BufReader::new(file), &mut first);
        serde_json::from_str::<serde_json::Value>(&first).is_ok_and(|record| record.get("text").is_some())
    });
    let template = if has_text { "{text}" } else { "{question}\\n{answer}" };
    format!("train.data=jsonl({quoted}, template=\"{template}\")")
}
