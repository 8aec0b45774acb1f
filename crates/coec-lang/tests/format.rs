//! Formatting moves white space, and nothing else.
//!
//! Every file in tests/lang/format is formatted; source and result are snapshots, which
//! `INSTA_UPDATE=always cargo test` rewrites. What holds for any text is held for these, for
//! every other spec of the repository, and for specs whose white space is shuffled.

mod common;

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use coec_lang::{MAX_SOURCE, MapLoader, Spec, format, load};
use common::tokens::{Shape, comments, shape, tokens};
use common::{Beside, folder, specs_in};
use proptest::prelude::*;
use proptest::sample::select;

/// Formats a text, and holds what holds for every text.
fn formatted(name: &str, text: &str) -> String {
    let result = format(name, text).unwrap_or_else(|errors| panic!("{name}:\n{text}\n{errors}"));
    let again = format(name, &result).unwrap_or_else(|errors| panic!("{name}:\n{result}\n{errors}"));
    assert_eq!(again, result, "{name}: formatting twice is formatting once\n{text}");
    let (Shape { tokens: before, comments: noted }, Shape { tokens: after, comments: kept }) =
        (shape(text), shape(&result));
    assert_eq!(before, after, "{name}: the same tokens\n{text}\n{result}");
    assert_eq!(noted, kept, "{name}: the same comments at the same places\n{text}\n{result}");
    assert!(result.is_empty() || result.ends_with('\n') && !result.ends_with("\n\n"), "{name}:\n{result}");
    assert!(!result.starts_with('\n') && !result.contains("\n\n\n"), "{name}:\n{result}");
    result
}

/// What a spec says, without the places at which it says it.
fn meaning(path: &str, text: &str, home: &Path) -> Result<Vec<String>, Vec<&'static str>> {
    let said = |spec: &Spec| {
        let rules: Vec<_> = spec.rules.iter().map(|rule| &rule.rule).collect();
        let Spec { model, train, .. } = spec;
        format!("{model:?} {rules:?} {train:?}")
    };
    match load(path, &[], &Beside { path, text, home }) {
        Ok(specs) => Ok(specs.iter().map(said).collect()),
        Err(errors) => Err(errors.iter().map(|error| error.code()).collect()),
    }
}

#[test]
fn fixtures() {
    for (path, text) in specs_in(&folder("../../tests/lang/format")) {
        let result = formatted(&path, &text);
        let both = format!("{text}\n\n----------- formatted\n{result}");
        insta::with_settings!({
            snapshot_path => folder("../../tests/lang/snapshots"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(format!("format__{}", path.trim_end_matches(".coe")), both);
        });
    }
}

/// Models, budgets, training and errors are the same before and after, in every spec there is.
#[test]
fn the_meaning_stays() {
    let folders =
        ["specs", "specs/paper", "specs/fair", "tests/lang/pass", "tests/lang/fail", "tests/lang/format"];
    let mut seen = 0;
    for home in folders.map(|name| folder("../..").join(name)) {
        for (path, text) in specs_in(&home) {
            // The parser has the last word on what can be formatted.
            if let Ok(result) = format(&path, &text) {
                seen += 1;
                assert_eq!(formatted(&path, &text), result);
                let (before, after) = (meaning(&path, &text, &home), meaning(&path, &result, &home));
                assert_eq!(before, after, "{path}:\n{result}");
            }
        }
    }
    assert!(seen > 100, "{seen} specs");
}

#[test]
fn specs_are_formatted() {
    let mut homes = vec![folder("../coec/templates")];
    homes.extend(["specs", "specs/paper", "specs/fair"].map(|name| folder("../..").join(name)));
    for home in homes {
        for (path, text) in specs_in(&home) {
            assert_eq!(formatted(&path, &text), text, "{path}");
        }
    }
}

/// What does not parse gives the errors of shape that loading it gives.
#[test]
fn what_does_not_parse_is_refused() {
    let mut seen = 0;
    for (path, text) in specs_in(&folder("../../tests/lang/fail")) {
        let Err(errors) = format(&path, &text) else { continue };
        seen += 1;
        let codes: Vec<_> = errors.iter().map(|error| error.code()).collect();
        let loaded = load(&path, &[], &MapLoader::new().with(&path, text)).unwrap_err();
        let loaded = loaded.iter().map(|error| error.code()).filter(|code| code.starts_with("coec::parse::"));
        assert_eq!(codes, loaded.collect::<Vec<_>>(), "{path}");
    }
    assert!(seen > 10, "{seen} texts that do not parse");
}

#[test]
fn a_text_of_white_space_is_empty() {
    for text in ["", " ", "\n\n", "\u{feff}\r\n\t"] {
        assert_eq!(format("a.coe", text).unwrap(), "", "{text:?}");
    }
    assert_eq!(formatted("a.coe", "\n\n  // a\n\n\n/* b */ "), "// a\n\n/* b */\n");
}

/// A comment in front of a block takes columns of its line.
#[test]
fn a_block_that_fits_only_without_its_comment_is_opened() {
    let block = "train { tokenizer = bytes data = builtin(\"arithmetic\") schedule = linear(warmup=1.0) }\n";
    assert_eq!(formatted("a.coe", block), block);
    let result = formatted("a.coe", &format!("/* a comment in front */ {block}"));
    assert!(result.starts_with("/* a comment in front */ train {\n    tokenizer = bytes\n"), "{result}");
}

#[test]
fn blanks_at_the_end_of_a_description_are_kept() {
    let text = "/// a line break follows  \r\n/// b \r\nmodel m { ffn = dense() }";
    let result = formatted("a.coe", text);
    assert!(result.starts_with("/// a line break follows  \n/// b \nmodel"), "{result:?}");
    assert_eq!(meaning("a.coe", text, Path::new("")), meaning("a.coe", &result, Path::new("")));
}

#[test]
fn a_text_that_is_too_long_is_refused() {
    let refused = |text: String| {
        let errors = format("a.coe", &text).unwrap_err();
        errors.iter().map(|error| error.code()).collect::<Vec<_>>()
    };
    assert_eq!(refused(" ".repeat(MAX_SOURCE + 1)), ["coec::read::too_large"]);
    // It fits, and its layout would not.
    let fields = "a=1 ".repeat(MAX_SOURCE / 4 - 8);
    assert_eq!(refused(format!("model a {{ {fields} }}")), ["coec::read::too_large"]);
}

#[test]
fn nesting_fits_a_stack_of_one_mebibyte() {
    let run = || {
        for (open, close) in
            [("[", "]"), ("f(", ")"), ("f(a=", ")"), ("[//\nf(b=", ")]"), ("[/**/f( ", "\n)]")]
        {
            let levels = 63 / open.matches(['[', '(']).count();
            let deep = |n: usize| format!("model a {{ ffn = {}1{} }}", open.repeat(n), close.repeat(n));
            formatted("a.coe", &deep(levels));
            let errors = format("a.coe", &deep(levels + 1)).unwrap_err();
            assert_eq!(errors.iter().next().unwrap().code(), "coec::parse::nested_too_deep", "{open}");
        }
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap();
}

/// Texts of about `bytes` that invite quadratic work or a layout far longer than they are.
fn traps(bytes: usize) -> Vec<(&'static str, String)> {
    let fill = |piece: &str| piece.repeat(bytes / piece.len());
    let half = |piece: &str| piece.repeat(bytes / 2 / piece.len());
    let nested = |n: usize, inside: &str| format!("{}{inside}{}", "[".repeat(n), "]".repeat(n));
    vec![
        (
            "models",
            fill("model m { dim = 64 attention = mha(heads=4) ffn = coe(iter=2, k=4, experts=64) }\n"),
        ),
        ("rules", format!("budget {{ {} }}", fill("params.total <= flops.forward(\"x\") @ a=f(1) \n"))),
        ("conditions", format!("budget {{ a <= 1 @ b=1 {} }}", fill(",c=f(1)"))),
        ("a long name and many fields", format!("model m {{ {} = 1 {} }}", half("name"), half("a=1 "))),
        (
            "a long value and many comments",
            format!("model m {{ a = \"{}\" //\n{} }}", half("x"), half("a=1 //\n")),
        ),
        ("a long rule", format!("budget {{ a <= b(\"{}\") @ c=1 {} }}", half("x"), half("a <= 1 @ b=1 "))),
        ("numbers", format!("model m {{ a = [{}] }}", fill("1,"))),
        ("numbers far in", format!("model m {{ a = {} }}", nested(60, &fill("1,")))),
        ("words far in", format!("model m {{ a = {} }}", nested(60, &fill("a,f(1),")))),
        ("a word that opens a long list", format!("model m {{ a = {}({}) }}", half("x"), half("1,"))),
        ("comments", format!("model m {{ a = [{}] }}", fill("/**/ "))),
        ("comments on lines", format!("model m {{ a /**/ = 1 {} }}", fill("//\n"))),
        ("one comment in a list", format!("model m {{ a = [//\n{}] }}", fill("1234567890,"))),
        ("a comment of many lines", format!("/*{}*/", fill("\r\n"))),
        ("blank lines", format!("{} model m {{ a = 1 }}", fill("\n"))),
    ]
}

/// The best of some runs, as others may be using the machine.
fn time(text: &str, runs: usize) -> Duration {
    let once = |_| {
        let start = busy();
        match format("a.coe", text) {
            Ok(result) => assert!(result.len() <= MAX_SOURCE),
            Err(errors) => assert_eq!(errors.iter().next().unwrap().code(), "coec::read::too_large"),
        }
        busy() - start
    };
    (0..runs).map(once).min().unwrap_or_default()
}

/// How long this thread has computed; where the system does not say, the time of day.
fn busy() -> Duration {
    let computed = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    computed().unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[test]
fn nothing_is_quadratic() {
    for ((name, small), (_, large)) in traps(100 << 10).iter().zip(&traps((1 << 20) - 200)) {
        assert!(large.len() <= MAX_SOURCE, "{name} is refused for its size");
        let (small, large) = (time(small, 3), time(large, 1));
        println!("{name}: {small:?}, {large:?}");
        // Ten times the text takes a hundred times as long where work is quadratic; times too
        // short to compare say nothing.
        assert!(large < 50 * small.max(Duration::from_millis(5)), "{name}: {small:?}, {large:?}");
    }
}

/// What may stand between two tokens.
const GAPS: &[&str] = &[
    " ",
    " ",
    " ",
    " ",
    "\n",
    "\n",
    "\n    ",
    "\n\n",
    "\n\n\n",
    "\t",
    "\r\n",
    "\u{feff}",
    " // end\n",
    "//\n",
    " // two\n // lines\n",
    "\n// own\n",
    "\n\n// apart\n\n",
    "\n/// doc\n",
    "\r\n// dos\r\n",
    " /* in */ ",
    "/**/",
    "/* a */ /* b */",
    "\n/* above */\n",
    "\n/* lead */ ",
    " /* behind */\n",
    "/* two\nlines */",
    " /* two\n lines */\n",
    "\n/* x */ // y\n",
    "/* x */ // y\n",
];

/// Texts whose tokens are tried with other white space.
fn seeds() -> Vec<Vec<String>> {
    let mut texts: Vec<_> =
        specs_in(&folder("../../tests/lang/pass")).into_iter().map(|(_, text)| text).collect();
    texts.extend(specs_in(&folder("../../tests/lang/format")).into_iter().map(|(_, text)| text));
    texts.push(include_str!("../../../specs/quickstart.coe").into());
    texts.iter().map(|text| tokens(text).into_iter().map(str::to_string).collect()).collect()
}

/// The tokens of a spec with any white space and comments between them, and some commas more or fewer.
fn shuffled() -> impl Strategy<Value = String> {
    (select(seeds()), prop_oneof![Just(0.02), Just(0.2), Just(0.9)]).prop_flat_map(|(tokens, wild)| {
        let gap = prop_oneof![
            ((1.0 - wild) * 100.0) as u32 + 1 => Just(" "),
            (wild * 100.0) as u32 + 1 => select(GAPS),
        ];
        let gaps = proptest::collection::vec(gap, tokens.len() + 1);
        let commas = proptest::collection::vec(any::<bool>(), tokens.len());
        (Just(tokens), gaps, commas).prop_map(|(tokens, gaps, commas)| {
            let mut text = gaps[0].to_string();
            for (i, token) in tokens.iter().enumerate() {
                let closes = token == ")" || token == "]";
                let after_value = i > 0 && !["(", "[", ","].contains(&tokens[i - 1].as_str());
                // Not in an index or a reference, whose brackets take no comma.
                if closes && after_value && commas[i] && takes_comma(&tokens, i) {
                    let _ = write!(text, ",{}", gaps[i]);
                }
                // With a comment right behind it, a slash begins another one.
                let apart = if token == "/" { " " } else { "" };
                // Two tokens may have to be held apart where a comment alone would do, too.
                let _ = write!(text, "{token}{apart}{}", gaps[i + 1]);
            }
            text
        })
    })
}

/// Whether the bracket at `close` ends arguments or a list: an index stands in front of `=`, and a
/// reference holds a string behind a dotted name.
fn takes_comma(tokens: &[String], close: usize) -> bool {
    let open = if tokens[close] == ")" { "(" } else { "[" };
    let start = tokens[..close].iter().rposition(|token| token == open).unwrap_or_default();
    let is_reference = start > 0 && tokens[start - 1].contains('.');
    tokens.get(close + 1).is_none_or(|next| next != "=") && !is_reference
}

/// Pieces of the language and white space, put together without sense.
const PIECES: &[&str] = &[
    "model",
    "a",
    "{",
    "}",
    "=",
    "1",
    "f",
    "(",
    ")",
    "[",
    "]",
    ",",
    "budget",
    "<=",
    "x.y",
    "+-",
    "12%",
    "@",
    "per layer",
    "warn",
    "let",
    "train",
    "\"s\"",
    "//",
    "///",
    "/*",
    "*/",
    "\n",
    "\r",
    " ",
    "\"",
    "..",
    "every 2",
    "extends",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn white_space_means_nothing(text in shuffled()) {
        let result = formatted("a.coe", &text);
        let home = folder("../../tests/lang/pass");
        prop_assert_eq!(meaning("a.coe", &text, &home), meaning("a.coe", &result, &home), "{}", text);
    }

    #[test]
    fn any_text(text in "\\PC{0,120}") {
        survive(&text);
    }

    #[test]
    fn any_pieces(pieces in proptest::collection::vec(select(PIECES), 0..60), space in select(&["", " "])) {
        survive(&pieces.join(space));
    }

    #[test]
    fn any_bytes_in_a_spec(at in 0usize..1500, bytes in proptest::collection::vec(any::<u8>(), 0..9)) {
        let mut text = include_bytes!("../../../specs/quickstart.coe").to_vec();
        let at = at.min(text.len());
        text.splice(at..at, bytes);
        survive(&String::from_utf8_lossy(&text));
    }
}

/// Whatever comes, it is formatted or refused, and what is formatted is right.
fn survive(text: &str) {
    match format("a.coe", text) {
        Ok(_) => {
            formatted("a.coe", text);
        }
        Err(errors) => assert!(errors.iter().all(|error| error.code().starts_with("coec::parse::"))),
    }
}

/// The tests' own reading of comments, which is simpler than the formatter's.
#[test]
fn comments_are_found() {
    assert_eq!(comments("a // b\n/* c\nd */ \"// e\" /// f"), ["// b", "/* c\nd */", "/// f"]);
    assert_eq!(
        tokens("a=f(1,)//x\n b.c<=-1.5e-3k%+-2%@"),
        ["a", "=", "f", "(", "1", ",", ")", "b.c", "<=", "-1.5e-3k%", "+-", "2%", "@"]
    );
}
