//! Every file in tests/lang is a test.
//!
//! `pass/*.coe` must load, keep its budgets and say nothing. `fail/*.coe` opens with a
//! line `// error: CODE @ line:column` for each diagnostic it must give, in the order of
//! the text; a place outside the file itself is `file:line:column`. Both may say
//! `// set: ffn.k=8` for a `--set` argument, `// load: a.coe#b` for what is loaded in
//! place of the file, and `// one` when a single model is wanted. Files whose name
//! begins with `_` only serve others.
//!
//! Snapshots lie in tests/lang/snapshots; `INSTA_UPDATE=always cargo test` rewrites them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use coec_ir::Conditions;
use coec_ir::cost::{Cost, Setting};
use coec_lang::{Diagnostic, Loader, MAX_SOURCE, Outcome, Spec, check, codes, load, load_one};
use miette::{GraphicalReportHandler, GraphicalTheme};

/// The code of a stack that no text can make.
const UNREACHABLE: &str = "coec::verify::inconsistent_stack";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lang").join(name)
}

/// The files of a folder, and some that are better made than kept.
struct Folder(PathBuf);

impl Loader for Folder {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str() {
            Some("_large.coe") => Ok(vec![b' '; MAX_SOURCE + 1]),
            Some("_unreadable.coe") => {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, "permission denied"))
            }
            Some("_expansion.coe") => Ok(expansion().into_bytes()),
            Some("_chain.coe") => Ok(chain().into_bytes()),
            _ => std::fs::read(self.0.join(path)),
        }
    }
}

/// A model of many layers, extended too often.
fn expansion() -> String {
    let layers: String = (0..1000).map(|l| format!(" ffn[{l}]=dense({})", l + 1)).collect();
    let mut text = format!("model a {{ layers=1000 ffn=dense(){layers} }}\n");
    for i in 0..1100 {
        let _ = writeln!(text, "model m{i} extends \"_expansion.coe#a\" {{ layers=1001 }}");
    }
    text
}

/// More models in a row than may extend each other.
fn chain() -> String {
    let mut text = String::from("model m0 { ffn=dense() }\n");
    for i in 1..=65 {
        let _ = writeln!(text, "model m{i} extends \"_chain.coe#m{}\" {{ }}", i - 1);
    }
    text
}

/// A fixture, and what its first lines ask for.
struct Fixture {
    name: String,
    text: String,
    folder: Folder,
    expected: Vec<String>,
    sets: Vec<String>,
    load: String,
    one: bool,
}

impl Fixture {
    fn all(kind: &str) -> Vec<Fixture> {
        let mut names: Vec<String> = std::fs::read_dir(folder(kind))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".coe") && !name.starts_with('_'))
            .collect();
        names.sort();
        names.into_iter().map(|file| Fixture::read(kind, &file)).collect()
    }

    fn read(kind: &str, file: &str) -> Fixture {
        let folder = Folder(folder(kind));
        let bytes = std::fs::read(folder.0.join(file)).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines = || text.lines().map_while(|line| line.strip_prefix("// "));
        let all = |key: &str| lines().filter_map(|line| Some(line.strip_prefix(key)?.to_string())).collect();
        let load: Vec<String> = all("load: ");
        Fixture {
            name: file.trim_end_matches(".coe").to_string(),
            expected: all("error: "),
            sets: all("set: "),
            load: load.into_iter().next().unwrap_or_else(|| file.to_string()),
            one: lines().any(|line| line == "one"),
            text,
            folder,
        }
    }

    /// The specs, and everything that is said about them.
    fn run(&self) -> (Vec<Spec>, Vec<Diagnostic>) {
        let specs = if self.one {
            load_one(&self.load, &self.sets, &self.folder).map(|spec| vec![spec])
        } else {
            load(&self.load, &self.sets, &self.folder)
        };
        let specs = match specs {
            Ok(specs) => specs,
            Err(errors) => return (Vec::new(), errors.into_iter().collect()),
        };
        let mut said = Vec::new();
        for spec in &specs {
            said.extend(spec.advice.iter().cloned());
            match check(spec, &self.folder) {
                Ok(report) => said.extend(report.diagnostics().cloned()),
                Err(errors) => said.extend(errors),
            }
        }
        (specs, said)
    }

    fn place(&self, diagnostic: &Diagnostic) -> String {
        let label = &diagnostic.labels()[0];
        let here = label.file == format!("{}.coe", self.name);
        let file = if here { String::new() } else { format!("{}:", label.file) };
        format!("{} @ {file}{}:{}", diagnostic.code(), label.line, label.column)
    }
}

fn snapshot(name: String, content: &str) {
    insta::with_settings!({
        snapshot_path => folder("snapshots"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, content);
    });
}

fn render(diagnostic: &Diagnostic) -> String {
    let mut out = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .with_links(false)
        .render_report(&mut out, diagnostic)
        .unwrap();
    out.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The text without its directives.
fn source(text: &str) -> String {
    let directive = |line: &&str| {
        ["// error: ", "// set: ", "// load: ", "// one"].iter().any(|key| line.starts_with(key))
    };
    let rest: Vec<_> = text.lines().skip_while(directive).collect();
    rest.join("\n").trim().to_string()
}

fn cost_table(spec: &Spec) -> String {
    let cost = Cost::of(&spec.model, Setting::of(&spec.model, &Conditions::default()));
    let mut out = format!("{}\n", spec.model.name);
    for (figure, value) in cost.figures() {
        let _ = writeln!(out, "    {:<21} {value} {}", figure.name(), figure.unit().word());
    }
    for (kind, (layer, count)) in spec.model.layers.counted().enumerate() {
        let part = &cost.kinds[kind];
        let first = spec.model.layers.order().iter().position(|&k| k == kind).unwrap_or_default();
        let experts = match (&part.paths, layer.ffn.as_coe()) {
            (Some(paths), Some(_)) => format!("{} calls, {paths} paths", part.calls),
            _ => "no experts".into(),
        };
        let _ = writeln!(out, "    {count} x layer {first}: {} parameters, {experts}", part.params);
    }
    out
}

#[test]
fn what_passes() {
    for fixture in Fixture::all("pass") {
        let name = &fixture.name;
        let (specs, said) = fixture.run();
        let said: Vec<_> = said.iter().map(render).collect();
        assert!(said.is_empty(), "{name}:\n{}", said.join("\n"));
        assert!(!specs.is_empty(), "{name}");
        assert!(fixture.expected.is_empty(), "{name}");

        let mut ir = String::new();
        let mut explicit = String::new();
        let mut costs = String::new();
        for spec in &specs {
            let rules: Vec<_> = spec.rules.iter().map(|rule| &rule.rule).collect();
            let json = serde_json::json!({ "model": *spec.model, "budget": rules, "train": spec.train });
            let _ = writeln!(ir, "{}", serde_json::to_string_pretty(&json).unwrap());
            let text = spec.explicit_text();
            let _ = writeln!(explicit, "{text}");
            costs.push_str(&cost_table(spec));
            the_text_says_the_same(spec, &text, &fixture);
        }
        snapshot(format!("pass__{name}.ir"), &ir);
        let both = format!("{}\n\n----------- explicit\n{explicit}", source(&fixture.text));
        snapshot(format!("pass__{name}.explicit"), &both);
        snapshot(format!("pass__{name}.cost"), &costs);
    }
}

/// Reading the explicit text gives the same model, rules and training.
fn the_text_says_the_same(spec: &Spec, text: &str, fixture: &Fixture) {
    struct Instead<'f>(&'f str, &'f Folder);
    impl Loader for Instead<'_> {
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            if path == Path::new("explicit.coe") { Ok(self.0.into()) } else { self.1.read(path) }
        }
    }
    let loader = Instead(text, &fixture.folder);
    let again = load_one("explicit.coe", &[], &loader)
        .unwrap_or_else(|errors| panic!("{}:\n{text}\n{errors}", fixture.name));
    assert_eq!(again.model, spec.model, "{}", fixture.name);
    assert_eq!(again.train, spec.train, "{}", fixture.name);
    assert_eq!(again.explicit_text(), text, "{}", fixture.name);
    let outcomes = |spec: &Spec| -> Vec<Outcome> {
        check(spec, &loader).unwrap().verdicts.iter().map(|verdict| verdict.outcome).collect()
    };
    assert_eq!(outcomes(&again), outcomes(spec), "{}", fixture.name);
}

#[test]
fn what_fails() {
    let mut wrong = String::new();
    for fixture in Fixture::all("fail") {
        let (_, said) = fixture.run();
        let places: Vec<_> = said.iter().map(|diagnostic| fixture.place(diagnostic)).collect();
        if places != fixture.expected || places.is_empty() {
            let _ =
                writeln!(wrong, "{}\n  expected {:?}\n  found    {places:?}", fixture.name, fixture.expected);
        }
        for diagnostic in &said {
            assert!(codes().contains(&diagnostic.code()), "{} is in no list of codes", diagnostic.code());
            assert!(!diagnostic.help().is_empty() && !diagnostic.message().is_empty());
            assert!(diagnostic.labels().iter().all(|label| !label.text.is_empty()));
        }
        let rendered: Vec<_> = said.iter().map(render).collect();
        let sets: String = fixture.sets.iter().map(|set| format!("--set {set}\n")).collect();
        let screen =
            format!("{}\n{sets}\n----------- errors\n{}", source(&fixture.text), rendered.join("\n"));
        snapshot(format!("fail__{}", fixture.name), &screen);
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// The byte of a line and a column, both from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    text[start..].char_indices().nth(column - 1).map_or(text.len(), |(at, _)| start + at)
}

/// Every "did you mean" can be done in place of being read, and mends what it is said of.
#[test]
fn what_is_meant_mends() {
    struct Instead<'f>(&'f Fixture, String);
    impl Loader for Instead<'_> {
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            let is_own = path == Path::new(&format!("{}.coe", self.0.name));
            if is_own { Ok(self.1.clone().into()) } else { self.0.folder.read(path) }
        }
    }
    let mut mended = BTreeSet::new();
    for fixture in Fixture::all("fail").iter().filter(|fixture| fixture.sets.is_empty()) {
        for diagnostic in fixture.run().1 {
            let replacements = diagnostic.replacements();
            // A note says what was meant where that is no other word in the same place.
            let says = diagnostic.help().contains("did you mean") && !diagnostic.help().contains("; here, ");
            let name = &fixture.name;
            assert!(!says || !replacements.is_empty(), "{name}: {}", diagnostic.help());
            for at in replacements.iter().filter(|at| at.file == format!("{name}.coe")) {
                let [start, end] = [(at.line, at.column), (at.end_line, at.end_column)]
                    .map(|(line, column)| offset(&fixture.text, line, column));
                let text = [&fixture.text[..start], &at.text, &fixture.text[end..]].concat();
                let loader = Instead(fixture, text.clone());
                let again = load(&fixture.load, &[], &loader).err().unwrap_or_default();
                let is_same = |other: &Diagnostic| {
                    let (one, other_at) = (&diagnostic.labels()[0], &other.labels()[0]);
                    other.code() == diagnostic.code()
                        && (other_at.line, other_at.column) == (one.line, one.column)
                };
                assert!(
                    !again.iter().any(is_same),
                    "{name}: {} is still there in\n{text}",
                    diagnostic.code()
                );
                mended.insert(diagnostic.code());
            }
        }
    }
    let known: BTreeSet<&str> = [
        "coec::resolve::bytes_unit",
        "coec::resolve::gate_shared",
        "coec::resolve::negative_number",
        "coec::resolve::several_models",
        "coec::resolve::tolerance_not_percent",
        "coec::resolve::unknown_condition",
        "coec::resolve::unknown_field",
        "coec::resolve::unknown_figure",
        "coec::resolve::unknown_model",
        "coec::resolve::unknown_word",
    ]
    .into();
    assert_eq!(mended, known);
}

#[test]
fn every_code_has_a_fixture() {
    let mut missing: BTreeSet<&str> = codes().into_iter().collect();
    assert_eq!(missing.len(), codes().len(), "two errors share a code");
    missing.remove(UNREACHABLE);
    for fixture in Fixture::all("fail") {
        for expected in &fixture.expected {
            missing.remove(expected.split(" @ ").next().unwrap());
        }
    }
    assert!(missing.is_empty(), "no fixture in tests/lang/fail for {missing:#?}");
}

#[test]
fn a_diagnostic_as_json() {
    let fixture = Fixture::read("fail", "gate_shared.coe");
    let json: Vec<_> = fixture.run().1.iter().map(Diagnostic::to_json).collect();
    snapshot("json".into(), &serde_json::to_string_pretty(&json).unwrap());
}

/// A spec may be one line of a mebibyte; its errors are still readable.
#[test]
fn of_a_long_line_only_the_neighbourhood_is_shown() {
    let fields = "a = 1 ".repeat(20_000);
    let text = format!("model a {{ {fields} ffn = coe(iter=2, k=9, experts=8) layers = -4 {fields} }}");
    let files = coec_lang::MapLoader::new().with("long.coe", text);
    let errors = load("long.coe", &[], &files).unwrap_err();
    assert!(errors.omitted() > 0);
    for error in &errors {
        let screen = render(error);
        assert!(screen.len() < 2000 && screen.contains("[long.coe:1:"), "{screen}");
    }
}
