//! docs/errors.md has a section for every code; what it says fails does, and its cures do not.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use coec_lang::{Loader, check, codes, load};

const PAGE: &str = include_str!("../../../docs/errors.md");

/// The example of a section, among the specs of the repository.
struct Example<'a>(&'a str);

impl Loader for Example<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new("specs/example.coe") {
            return Ok(self.0.into());
        }
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path))
    }
}

fn said(text: &str) -> Vec<&'static str> {
    let example = Example(text);
    match load("specs/example.coe", &[], &example) {
        Err(errors) => errors.iter().map(|error| error.code()).collect(),
        Ok(specs) => {
            let reports = specs.iter().map(|spec| check(spec, &example).unwrap());
            reports.flat_map(|report| report.diagnostics().map(|d| d.code()).collect::<Vec<_>>()).collect()
        }
    }
}

/// The sections by their codes, each with its text.
fn sections() -> BTreeMap<&'static str, &'static str> {
    let parts = PAGE.split("\n## ").skip(1);
    parts.map(|part| part.split_once('\n').unwrap()).map(|(code, text)| (code.trim(), text)).collect()
}

#[test]
fn every_code_has_a_section() {
    let sections = sections();
    let missing: Vec<_> = codes().into_iter().filter(|code| !sections.contains_key(code)).collect();
    assert!(missing.is_empty(), "docs/errors.md has no section on {missing:#?}");
}

#[test]
fn what_is_said_to_fail_fails_and_what_is_said_to_help_helps() {
    for (code, section) in sections() {
        let mut blocks = section.split("```").skip(1).step_by(2);
        for block in &mut blocks {
            let (mark, text) = block.split_once('\n').unwrap();
            match mark {
                "coe" => assert!(said(text).is_empty(), "{code}: {:?}", said(text)),
                "coe,fail" => {
                    assert_eq!(text.lines().next(), Some(format!("// error: {code}").as_str()));
                    assert_eq!(said(text), [code], "{text}");
                }
                "text" => {}
                other => panic!("{code}: unknown mark `{other}`"),
            }
        }
    }
}

/// Every code in the sources of the workspace, by reading them: the other
/// crates are not built for this test.
#[test]
fn the_other_crates_codes_have_sections_too() {
    let sections = sections();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders = vec![crates];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target" && name != "tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for code in text.split('"').filter(|part| is_code(part)) {
                    assert!(sections.contains_key(code), "docs/errors.md has no section on {code}");
                }
            }
        }
    }
}

/// Whether a text is a code in full: `coec::stage::error`.
fn is_code(text: &str) -> bool {
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let parts: Vec<_> = text.split("::").collect();
    matches!(parts.as_slice(), ["coec", stage, error] if word(stage) && word(error))
}
