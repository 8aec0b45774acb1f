//! Bytes to the parser: as a file that is formatted, and as a `--set` argument.
#![no_main]

use coec_fuzz::presentable;
use coec_lang::{MapLoader, format, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(errors) = format("a.coe", text) {
        presentable(&errors);
        assert!(errors.iter().all(|error| error.code().starts_with("coec::parse::")), "{errors}");
    }
    let tiny = MapLoader::new().with("tiny.coe", "coe(iter=2, k=1, experts=4)");
    if let Err(errors) = load("tiny.coe", &[text.into()], &tiny) {
        presentable(&errors);
    }
});
