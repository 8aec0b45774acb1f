//! No text makes the front end panic, overflow its stack, or take long.

#[allow(dead_code)] // other crates use the rest
#[path = "../../../tests/src/models.rs"]
mod models;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use coec_ir::Conditions;
use coec_ir::cost::{Cost, Setting};
use coec_lang::{Diagnostics, MapLoader, Spec, check, load, load_one};
use proptest::prelude::*;
use proptest::sample::select;

fn read(text: impl Into<Vec<u8>>) -> Result<Vec<Spec>, Diagnostics> {
    load("a.coe", &[], &MapLoader::new().with("a.coe", text))
}

/// Loads, checks and renders: whatever comes, it comes back.
fn survive(text: impl Into<Vec<u8>>) {
    let files = MapLoader::new().with("a.coe", text);
    match load("a.coe", &["ffn.k=3".into()], &files) {
        Ok(specs) => {
            for spec in specs {
                let _ = check(&spec, &files);
                let _ = spec.train_or_default();
                let _ = spec.explicit_text();
            }
        }
        Err(errors) => {
            assert!(errors.iter().count() > 0);
            for error in &errors {
                let json = serde_json::to_string(&error.to_json()).unwrap();
                assert!(json.contains("coec::"));
            }
        }
    }
}

fn code(text: &str) -> &'static str {
    read(text).unwrap_err().iter().next().unwrap().code()
}

/// Runs on a stack as small as a thread of a debug build may have.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap();
}

#[test]
fn nesting_fits_a_stack_of_one_mebibyte() {
    on_a_small_stack(|| {
        for (open, close) in [("[", "]"), ("f(", ")"), ("f(a=", ")"), ("[f(b=", ")]")] {
            let levels = 63 / open.matches(['[', '(']).count();
            let deep = |n: usize| format!("model a {{ ffn = {}1{} }}", open.repeat(n), close.repeat(n));
            assert!(code(&deep(levels)).starts_with("coec::resolve::"), "{open}");
            assert_eq!(code(&deep(levels + 1)), "coec::parse::nested_too_deep", "{open}");
            assert_eq!(code(&deep(100_000)), "coec::parse::nested_too_deep", "{open}");
            let lets =
                format!("let x = {}1{} model a {{ ffn = x }}", open.repeat(levels), close.repeat(levels));
            assert!(read(lets).is_err());
        }
        let unclosed = "[".repeat(1 << 19);
        assert_eq!(code(&unclosed), "coec::parse::nested_too_deep");
    });
}

#[test]
fn long_chains_of_lets_are_followed_without_recursion() {
    on_a_small_stack(|| {
        let mut text = String::from("model a { ffn = x0 }\n");
        for i in 0..40_000 {
            let _ = writeln!(text, "let x{i} = x{}", i + 1);
        }
        text.push_str("let x40000 = dense(8)");
        assert_eq!(read(text.clone()).unwrap().len(), 1);
        let circle = text.replace("= dense(8)", "= x0");
        assert_eq!(code(&circle), "coec::resolve::let_cycle");
    });
}

/// About `bytes` of specs in which most of the language occurs.
fn many_models(bytes: usize) -> String {
    let mut text = String::new();
    let mut i = 0;
    while text.len() < bytes {
        let _ = write!(
            text,
            "/// Model {i}.\nlet wide{i} = coe(iter=2, k=[4, 2], experts=16, shared=1, hidden=64)\n\
             model m{i} {{ dim = 64 layers = 4 attention = mha(heads=4) ffn = wide{i} ffn[0] = dense(256) }}\n\
             budget m{i} {{ params.active <= 1G flops.forward >= 1k @ context=64 }}\n"
        );
        i += 1;
    }
    text
}

fn through_the_whole_front_end(text: &str) -> Duration {
    let files = MapLoader::new().with("a.coe", text);
    let start = Instant::now();
    let specs = load("a.coe", &[], &files).unwrap_or_else(|errors| panic!("{errors}"));
    for spec in &specs {
        let cost = Cost::of(&spec.model, Setting::of(&spec.model, &Conditions::default()));
        assert!(cost.total.params > 0);
    }
    start.elapsed()
}

/// Texts that invite quadratic work.
fn traps() -> Vec<(&'static str, String)> {
    let lines = |n: usize, line: &dyn Fn(usize) -> String| (0..n).map(line).collect::<String>();
    vec![
        ("fields", format!("model a {{ {} }}", lines(60_000, &|_| "dim = 8 ".into()))),
        ("arguments", format!("coe({})", lines(60_000, &|i| format!("x{i}=1, ")))),
        (
            "overrides",
            format!(
                "model a {{ layers=1024 ffn=dense() {} }}",
                lines(30_000, &|i| format!("ffn[{}..1024]=dense() ", i % 1024))
            ),
        ),
        (
            "unknown names",
            format!(
                "{} model a {{ ffn = dense() }} train {{ {} }}",
                lines(20_000, &|i| format!("let name{i}=1 ")),
                lines(20_000, &|i| format!("seed = nome{i} "))
            ),
        ),
        (
            "budgets for many",
            format!(
                "{} budget {{ {} }}",
                lines(10_000, &|i| format!("model m{i} {{ ffn=dense() }} ")),
                lines(10_000, &|_| "params.total <= 1 ".into())
            ),
        ),
        ("lists", format!("model a {{ ffn = coe(iter=2, experts=8, k=[{}]) }}", "1,".repeat(400_000))),
        ("comments", format!("model a {{ ffn {} = dense() }}", "/**/ ".repeat(150_000))),
        (
            "lets in lists",
            format!(
                "let r = [{}] {}",
                "bias(1),".repeat(10_000),
                lines(15_000, &|i| format!("model m{i} {{ ffn=moe(k=1,experts=2,balance=r) }} "))
            ),
        ),
        ("long names", format!("model {} {{ {} = 1 }}", "a".repeat(400_000), "b".repeat(400_000))),
        ("wrong fields", format!("model a {{ {} }}", "dim : 8 ffn = ".repeat(60_000))),
        ("wrong rules", format!("budget {{ {} }}", "params.total < 8 \n".repeat(50_000))),
        ("wrong rules in a line", format!("budget {{ {} }}", "params.total < 8 ".repeat(50_000))),
        ("wrong items", "model ( ) let x ".repeat(60_000)),
        ("wrong models", "model a { dim } ".repeat(60_000)),
        ("one wrong field among many", format!("model a {{ dim : {} }}", "ffn = 1 ".repeat(100_000))),
        ("trains", format!("model a {{ ffn=dense() }} {}", "train { } ".repeat(80_000))),
        (
            "extended",
            format!(
                "model a {{ ffn=dense() {} }} {}",
                lines(1000, &|i| format!("ffn[{i}]=dense({}) ", i + 1)),
                lines(15_000, &|i| format!("model m{i} extends \"a.coe#a\" {{ layers=1000 }} "))
            ),
        ),
    ]
}

/// A file of many models, all compared with models of another large file.
#[test]
fn a_file_that_budgets_name_is_read_once() {
    let lines = |n: usize, line: &dyn Fn(usize) -> String| (0..n).map(line).collect::<String>();
    // A debug build is ten times slower, and quadratic work shows at a tenth of the size too.
    let scale = if cfg!(debug_assertions) { 10 } else { 1 };
    let other = lines(20_000 / scale, &|i| format!("model m{i} {{ ffn=dense() }} "));
    let bad =
        lines(20_000 / scale, &|i| format!("model m{i} {{ ffn=dense() }} ")) + "model m0 { ffn=dense() }";
    let rule = |file: &str, i: usize| format!("params.total == params.total(\"{file}#m{i}\") ");
    let all = lines(3_000 / scale, &|i| format!("model m{i} {{ ffn=dense() }} "));
    let each = |file: &str| lines(3_000 / scale, &|i| format!("budget m{i} {{ {} }} ", rule(file, i)));
    let files = MapLoader::new()
        .with("good.coe", format!("{all} {}", each("other.coe")))
        .with("worse.coe", format!("{all} {}", each("bad.coe")))
        .with("other.coe", other)
        .with("bad.coe", bad);
    let start = Instant::now();
    for spec in load("good.coe", &[], &files).unwrap() {
        assert!(!check(&spec, &files).unwrap().is_violated());
    }
    for spec in load("worse.coe", &[], &files).unwrap() {
        let errors = check(&spec, &files).unwrap_err();
        assert_eq!(errors.iter().next().unwrap().code(), "coec::resolve::duplicate_model");
    }
    let limit = if cfg!(debug_assertions) { 120 } else { 20 };
    assert!(start.elapsed() < Duration::from_secs(limit), "{:?}", start.elapsed());
}

#[test]
fn nothing_is_quadratic() {
    for (name, text) in traps() {
        assert!(text.len() <= coec_lang::MAX_SOURCE, "{name} is refused for its size");
        let start = Instant::now();
        survive(text);
        let limit = if cfg!(debug_assertions) { 120 } else { 20 };
        let took = start.elapsed();
        println!("{name}: {took:?}");
        assert!(took < Duration::from_secs(limit), "{name}: {took:?}");
    }
}

/// Ten times the text takes about ten times as long, and not a hundred times. How long exactly
/// is for the benchmark `front_end` to say: here caches, and whoever else uses the machine, have room.
#[test]
fn time_grows_with_the_text() {
    let (small, large) = (many_models(100 << 10), many_models((1 << 20) - 400));
    let runs = || (0..3).map(|_| (through_the_whole_front_end(&small), through_the_whole_front_end(&large)));
    let (small, large) = runs().fold((Duration::MAX, Duration::MAX), |(a, b), (c, d)| (a.min(c), b.min(d)));
    assert!(large < 40 * small, "100 KiB took {small:?}, 1 MiB {large:?}");
}

/// Pieces of the language, put together without sense.
const PIECES: &[&str] = &[
    "model",
    "budget",
    "train",
    "let",
    "extends",
    "warn",
    "per layer",
    "every",
    "a",
    "b",
    "ffn",
    "coe",
    "moe",
    "dense",
    "k",
    "iter",
    "experts",
    "layers",
    "dim",
    "attention",
    "mha",
    "mla",
    "router",
    "softmax",
    "params.total",
    "flops.forward",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "=",
    ",",
    "..",
    "<=",
    ">=",
    "==",
    "+-",
    "@",
    "1",
    "0",
    "-1",
    "1e9",
    "12%",
    "16GiB",
    "0.5",
    "9999999999999999999999",
    "\"a.coe\"",
    "\"a.coe#a\"",
    "\"CoE-2(4/64)\"",
    "\"\\n\"",
    "//",
    "\n",
    "/* */",
    "///",
    "none",
    "heads",
    "balance",
    "bias",
    "0.1",
    "shared",
    "gate",
    "=",
    "=",
    "{",
    "}",
    "(",
    ")",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        survive(bytes);
    }

    #[test]
    fn characters(text in "\\PC{0,120}") {
        survive(text);
    }

    #[test]
    fn words_without_sense(words in proptest::collection::vec(select(PIECES), 0..60)) {
        survive(words.join(" "));
    }

    #[test]
    fn a_spec_with_a_piece_exchanged(at in 0usize..2000, length in 0usize..20, piece in select(PIECES)) {
        let mut text = include_str!("../benches/paper.coe").to_string();
        let at = (0..=at.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
        let end = (at + length).min(text.len());
        if text.is_char_boundary(end) {
            text.replace_range(at..end, piece);
        }
        survive(text);
    }

    #[test]
    fn settings(path in "[a-z]{1,9}(\\.[a-z]{1,9}){0,2}", value in select(PIECES)) {
        let files = MapLoader::new().with("a.coe", include_str!("../benches/paper.coe"));
        let _ = load_one("a.coe", &[format!("{path}={value}")], &files);
    }

    #[test]
    fn arguments(text in "(CoE|MoE|coe|a)[-(0-9/)#.é]{0,12}") {
        let _ = load(&text, &[], &MapLoader::new());
    }

    #[test]
    fn explicit_text_is_the_same_model(model in models::model(&models::Sizes::of_specs())) {
        let verified = coec_ir::verify(model.clone());
        prop_assert!(verified.is_ok(), "{:?}", verified);
        let text = coec_ir::text::model(&model);
        let specs = read(text.clone()).map_err(|errors| TestCaseError::fail(format!("{text}\n{errors}")))?;
        prop_assert_eq!(&*specs[0].model, &model, "{}", text);
    }
}
