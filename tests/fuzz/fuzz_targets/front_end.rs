//! Bytes through the whole front end. What loads is judged and written out, which must read
//! back as the same; what can be formatted must mean the same afterwards.
#![no_main]

use coec_fuzz::{meaning, presentable, presentable_one};
use coec_lang::{MapLoader, check, format, load, load_one};
use libfuzzer_sys::fuzz_target;

/// The text, and specs that it may name.
fn files(text: &[u8]) -> MapLoader {
    MapLoader::new()
        .with("a.coe", text)
        .with("_base.coe", include_str!("../../lang/pass/_base.coe"))
        .with("moe_8_64.coe", include_str!("../../lang/pass/moe_8_64.coe"))
}

/// The meaning of every model of a text, or the codes of what is wrong with it.
fn said(text: &[u8]) -> Result<Vec<String>, Vec<&'static str>> {
    match load("a.coe", &[], &files(text)) {
        Ok(specs) => Ok(specs.iter().map(meaning).collect()),
        Err(errors) => Err(errors.iter().map(|error| error.code()).collect()),
    }
}

fuzz_target!(|bytes: &[u8]| {
    match load("a.coe", &[], &files(bytes)) {
        Err(errors) => presentable(&errors),
        Ok(specs) => {
            for spec in &specs {
                spec.advice.iter().for_each(presentable_one);
                match check(spec, &files(bytes)) {
                    Ok(report) => report.diagnostics().for_each(presentable_one),
                    Err(errors) => presentable(&errors),
                }
                if let Err(errors) = spec.train_or_default() {
                    presentable(&errors);
                }
                let text = spec.explicit_text();
                let again = load_one("explicit.coe", &[], &files(bytes).with("explicit.coe", text.as_str()))
                    .unwrap_or_else(|errors| panic!("{text}\n{errors}"));
                assert_eq!(meaning(&again), meaning(spec), "{text}");
                assert_eq!(again.explicit_text(), text);
                let formatted =
                    format("explicit.coe", &text).unwrap_or_else(|errors| panic!("{text}\n{errors}"));
                let again = load_one("explicit.coe", &[], &files(bytes).with("explicit.coe", formatted))
                    .unwrap_or_else(|errors| panic!("{text}\n{errors}"));
                assert_eq!(meaning(&again), meaning(spec), "{text}");
            }
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(formatted) = format("a.coe", text) {
        assert_eq!(format("a.coe", &formatted).ok().as_ref(), Some(&formatted), "{text}");
        assert_eq!(said(bytes), said(formatted.as_bytes()), "{text}\n{formatted}");
    }
});
