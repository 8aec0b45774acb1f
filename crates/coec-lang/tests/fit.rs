//! Integers that make one spec cost what another does, and the text that has them.

use coec_ir::Figure;
use coec_ir::cost::{Cost, Setting};
use coec_lang::{Fit, FitError, MapLoader, Spec, fit, load_one};
use num_bigint::BigUint;

const CHAIN: &str = "\
// The chain.
model chain {
    vocab = 300 context = 64 dim = 32 layers = 2 // small
    attention = mha(heads=2)
    ffn       = coe(iter=2, k=2, experts=8, /* wide */ hidden=40, shared=1)
}

budget {
    params.total <= 1M // ours
}
";

const MOE: &str = "\
model moe {
    vocab = 300 context = 64 dim = 32 layers = 2 attention = mha(heads=2)
    ffn = moe(k=4, experts=16, hidden=48)
}
";

fn files() -> MapLoader {
    MapLoader::new().with("chain.coe", CHAIN).with("moe.coe", MOE)
}

fn fitted(files: &MapLoader, spec: &str, free: &[&str], matches: &[&str]) -> (Spec, Result<Fit, FitError>) {
    let strings = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
    let spec = load_one(spec, &[], files).unwrap();
    let found = fit(&spec, &strings(free), &strings(matches), "0.5%", files);
    (spec, found)
}

/// The text that was found, and what it reads back as beside the files.
fn text(files: &MapLoader, spec: &Spec, found: &Fit) -> (String, Spec) {
    let rules: Vec<_> = found.best.matched.iter().map(|matched| matched.rule.clone()).collect();
    let text = found.text(spec, &found.best, &rules, None);
    let files = files.clone().with("out.coe", text.as_str());
    let read = load_one("out.coe", &[], &files).unwrap_or_else(|errors| panic!("{text}\n{errors:?}"));
    let report = coec_lang::check(&read, &files).unwrap();
    assert!(report.verdicts.iter().all(|verdict| verdict.diagnostic.is_none()), "{text}");
    (text, read)
}

fn figure(spec: &Spec, figure: Figure) -> BigUint {
    Cost::of(&spec.model, Setting::of(&spec.model, &Default::default())).figure(figure).unwrap()
}

/// The nearest value by trying all, the smaller of two.
fn plain(files: &MapLoader, spec: &str, field: &str, of: Figure, target: &BigUint, most: usize) -> usize {
    let distance = |value: usize| {
        let spec = load_one(spec, &[format!("{field}={value}")], files).ok()?;
        let found = figure(&spec, of);
        Some((if found > *target { found - target } else { target - found }, value))
    };
    (1..=most).filter_map(distance).min().unwrap().1
}

#[test]
fn the_value_is_the_nearest_there_is_and_everything_else_stays() {
    let files = files();
    let (spec, found) = fitted(&files, "chain.coe", &["ffn.hidden"], &["flops.forward=moe.coe"]);
    let found = found.unwrap();
    let target = figure(&load_one("moe.coe", &[], &files).unwrap(), Figure::FlopsForward);
    let nearest = plain(&files, "chain.coe", "ffn.hidden", Figure::FlopsForward, &target, 400);
    assert_eq!(found.best.values, [("ffn.hidden".to_string(), nearest)]);
    assert!(found.best.holds());
    let (text, _) = text(&files, &spec, &found);
    let expected = CHAIN.replace("hidden=40", &format!("hidden={nearest}")).replace(
        "    params.total <= 1M // ours\n",
        "    params.total <= 1M // ours\n    flops.forward == flops.forward(\"moe.coe\") +- 0.5%\n",
    );
    assert_eq!(text, expected);
}

#[test]
fn every_field_that_holds_a_whole_number_may_be_free() {
    let files = files();
    for (field, matched, most) in [
        ("ffn.experts", "params.total=60000", 400),
        ("ffn.k", "flops.forward=90000", 8),
        ("ffn.iter", "experts.calls=24", 64),
        ("layers", "params.total=120k", 200),
        ("dim", "params.active=200k", 600),
        ("vocab", "params.embedding=64k", 4000),
        ("attention.head_dim", "params.total=40k", 200),
    ] {
        let (spec, found) = fitted(&files, "chain.coe", &[field], &[matched]);
        let found = found.unwrap_or_else(|error| panic!("{field}: {error}"));
        let (name, target) = matched.split_once('=').unwrap();
        let target = coec_ir::Quantity::parse(target).unwrap().to_integer().unwrap();
        let figure = Figure::from_name(name).unwrap();
        assert_eq!(
            found.best.values[0].1,
            plain(&files, "chain.coe", field, figure, &target, most),
            "{field}"
        );
        let rules = [];
        let text = found.text(&spec, &found.best, &rules, None);
        let read = load_one("out.coe", &[], &files.clone().with("out.coe", text.as_str())).unwrap();
        assert_eq!(*read.model, *found.best.model, "{field}: {text}");
    }
}

#[test]
fn two_fields_come_as_near_to_two_figures_as_any_do() {
    let files = files();
    let matches = ["flops.forward=moe.coe", "params.total=moe.coe"];
    let moe = load_one("moe.coe", &[], &files).unwrap();
    let figures = [Figure::FlopsForward, Figure::ParamsTotal];
    let off = |spec: &Spec| {
        let off = |of: &Figure| {
            let number = |spec: &Spec| figure(spec, *of).to_string().parse::<f64>().unwrap();
            (number(spec) / number(&moe) - 1.0).abs()
        };
        figures.iter().map(off).fold(0.0, f64::max)
    };
    let all = (30..60).flat_map(|hidden| (4..40).map(move |experts| (hidden, experts)));
    let tried = all.filter_map(|(hidden, experts)| {
        let sets = [format!("ffn.hidden={hidden}"), format!("ffn.experts={experts}")];
        Some(off(&load_one("chain.coe", &sets, &files).ok()?))
    });
    let nearest = tried.fold(f64::INFINITY, f64::min);
    for free in [["ffn.hidden", "ffn.experts"], ["ffn.experts", "ffn.hidden"]] {
        let (spec, found) = fitted(&files, "chain.coe", &free, &matches);
        let found = found.unwrap();
        let worst = found.best.matched.iter().map(|matched| matched.deviation().abs()).fold(0.0, f64::max);
        assert_eq!(worst, nearest, "{free:?}: {:?}", found.best.values);
        let text = found.text(&spec, &found.best, &[found.best.matched[1].rule.clone()], None);
        assert!(text.contains("params.total == params.total(\"moe.coe\") +- 0.5%"), "{text}");
    }
}

#[test]
fn what_is_not_near_enough_says_what_is_nearest() {
    let files = files();
    let (_, found) = fitted(&files, "chain.coe", &["layers"], &["flops.forward=moe.coe"]);
    let found = found.unwrap();
    assert!(!found.best.holds());
    let (below, above) = (found.below.unwrap(), found.above.unwrap());
    assert_eq!(above.values[0].1, below.values[0].1 + 1);
    assert!(below.matched[0].deviation() < 0.0 && above.matched[0].deviation() > 0.0);
}

#[test]
fn a_value_is_written_where_there_is_none_yet() {
    let spec_of = |text: &str| files().with("a.coe", text);
    let head = "vocab=300 context=64 dim=32 layers=2 attention=mha(heads=2)";
    for text_of in [
        // A field left out, empty brackets, no brackets, a word of its own, an ancestor, nothing at all.
        format!("model a {{ {head} ffn=coe(iter=2, k=2, experts=8) }}"),
        format!("model a {{ {head} ffn=coe(iter=2, k=2, experts=8,) }}"),
        format!("model a {{ {head} ffn=dense() }}"),
        format!("model a {{ {head} ffn=dense }}"),
        format!("let wide = dense(hidden=8)\nmodel a {{ {head} ffn=wide }}"),
        format!("let h = 8\nmodel a {{ {head} ffn=dense(hidden=h) }}"),
        "model a extends \"chain.coe\" { }".to_string(),
        "model a extends \"chain.coe\" {\r\n    dim = 64 // wide\r\n}\r\n".to_string(),
        format!("model a {{ {head} ffn=dense(hidden=8) }}\nmodel b {{ {head} }}"),
    ] {
        let files = spec_of(&text_of);
        let (spec, found) = fitted(&files, "a.coe#a", &["ffn.hidden"], &["flops.forward=moe.coe"]);
        let found = found.unwrap();
        let rules: Vec<_> = found.best.matched.iter().map(|matched| matched.rule.clone()).collect();
        let text = found.text(&spec, &found.best, &rules, None);
        let files = files.with("out.coe", text.as_str());
        let read = load_one("out.coe#a", &[], &files).unwrap_or_else(|errors| panic!("{text}\n{errors:?}"));
        assert_eq!(*read.model, *found.best.model, "{text}");
        assert_eq!(read.rules.len(), 1, "{text}");
        assert_eq!(text.contains('\r'), text_of.contains('\r'), "{text}");
    }
}

#[test]
fn a_bare_block_becomes_a_model_and_the_papers_notation_is_written_out() {
    let files =
        files().with("bare.coe", "// ours\ncoe(iter=2, k=4, experts=64, residual=inner, gate=independent)\n");
    for (free, matches) in [("ffn.hidden", "flops.forward=MoE(8/64)"), ("dim", "params.total=300M")] {
        for spec in ["bare.coe", "CoE-2(4/64)"] {
            let (spec, found) = fitted(&files, spec, &[free], &[matches]);
            let found = found.unwrap();
            assert!(found.best.holds());
            let (text, read) = text(&files, &spec, &found);
            assert_eq!(read.model.layers, found.best.model.layers, "{text}");
            assert!(spec.path.is_none() || text.starts_with("// ours\nmodel bare {"), "{text}");
        }
    }
}

#[test]
fn the_files_that_a_text_names_are_named_from_where_it_goes() {
    let text = "model a extends \"chain.coe\" { ffn = dense(hidden=8) }\n\
                budget { params.total <= params.total(\"moe.coe\") }\n\
                train { data = [text([\"x.txt\"]), jsonl(\"y\", template=\"{a}\")] tokenizer = file(\"t.json\") }";
    let files = files().with("a.coe", text);
    let (spec, found) = fitted(&files, "a.coe", &["ffn.hidden"], &["flops.forward=20k"]);
    let found = found.unwrap();
    let moved = found.text(&spec, &found.best, &[], Some(&|path| format!("../{path}")));
    for path in ["../chain.coe", "../moe.coe", "../x.txt", "../y", "../t.json", "template=\"{a}\""] {
        assert!(moved.contains(path), "{path}: {moved}");
    }
}

#[test]
fn what_cannot_be_fitted_says_why() {
    let files = files();
    for (free, matches, code) in [
        (&["ffn.gate"][..], &["flops.forward=moe.coe"][..], "coec::fit::not_whole"),
        (&["ffn.width"], &["flops.forward=moe.coe"], "coec::fit::not_whole"),
        (&["ffn.hidden"], &["flops.forward=moe.coe", "params.total=1M"], "coec::fit::count"),
        (&["ffn.hidden", "ffn.hidden"], &["flops.forward=moe.coe", "params.total=1M"], "coec::fit::count"),
        (&["ffn.hidden"], &["flops.forward"], "coec::fit::no_match"),
        (&["ffn.hidden"], &["measured.mfu=10%"], "coec::fit::measured"),
        (&["vocab"], &["experts.calls=400"], "coec::fit::unmoved"),
        (&["ffn.hidden"], &["flops.foward=moe.coe"], "coec::resolve::unknown_figure"),
        (&["ffn.hidden"], &["flops.forward=nowhere.coe"], "coec::read::not_found"),
    ] {
        let (_, found) = fitted(&files, "chain.coe", free, matches);
        assert_eq!(found.unwrap_err().code(), code, "{free:?} {matches:?}");
    }
}
