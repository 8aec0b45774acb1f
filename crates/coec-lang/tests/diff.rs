//! What differs between two specs: nothing of a spec and itself, the field that `--set` changed,
//! and of tensors exactly those that comparing every name finds.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use coec_ir::cost::{Cost, Setting};
use coec_ir::diff::{self, Change, Loading, Pattern};
use coec_ir::{Conditions, Model, Tensors, Verified};
use coec_lang::{MapLoader, Spec, load, load_one};
use common::{Beside, folder, specs_in};
use proptest::prelude::*;
use proptest::sample::select;

/// Every model of the fixtures that load.
fn fixtures() -> Vec<Spec> {
    let home = folder("../../tests/lang/pass");
    let load =
        |(path, text): (String, String)| load(&path, &[], &Beside { path: &path, text: &text, home: &home });
    let specs: Vec<Spec> = specs_in(&home).into_iter().filter_map(|file| load(file).ok()).flatten().collect();
    assert!(specs.len() > 40, "the fixtures are found");
    specs
}

fn spec(text: &str) -> Spec {
    let files = MapLoader::new().with("a.coe", text);
    load_one("a.coe", &[], &files).unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

fn changes(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (spec(old), spec(new));
    diff::model(&old.model, &new.model).iter().map(shown).collect()
}

fn shown(change: &Change) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
    format!("{}: {} -> {}", change.name(), value(&change.old), value(&change.new))
}

#[test]
fn a_spec_does_not_differ_from_itself() {
    for spec in fixtures() {
        let name = &spec.model.name;
        assert_eq!(diff::model(&spec.model, &spec.model), [], "{name}");
        assert_eq!(diff::train(spec.train.as_ref(), spec.train.as_ref()), [], "{name}");
        let rules = || spec.rules.iter().map(|rule| &rule.rule);
        assert!(diff::rules(rules(), rules()).is_empty(), "{name}");
        assert!(diff::loading(&spec.model, &spec.model).succeeds(), "{name}");
        let cost = Cost::of(&spec.model, Setting::of(&spec.model, &Conditions::default()));
        assert!(diff::figures(&cost, &cost).iter().all(|change| change.is_equal()), "{name}");
    }
}

/// Two models without a difference are one model, and a difference is the same in both directions.
#[test]
fn whatever_differs_is_found() {
    let specs = fixtures();
    for a in &specs {
        for b in &specs {
            let (there, back) = (diff::model(&a.model, &b.model), diff::model(&b.model, &a.model));
            let unnamed = |model: &Model| Model { name: String::new(), doc: String::new(), ..model.clone() };
            assert_eq!(there.is_empty(), unnamed(&a.model) == unnamed(&b.model));
            let turned = |change: Change| Change { old: change.new, new: change.old, ..change };
            let back: BTreeSet<String> = back.into_iter().map(turned).map(|c| shown(&c)).collect();
            let there: BTreeSet<String> = there.iter().map(shown).collect();
            assert_eq!(there, back, "{} and {}", a.model.name, b.model.name);
        }
    }
}

#[test]
fn layers_are_named_as_a_spec_overrides_them() {
    let base = "model a { layers=6 ffn=coe(iter=2, k=2, experts=8) }";
    let with = |rest: &str| format!("model b {{ layers=6 ffn=coe(iter=2, k=2, experts=8) {rest} }}");
    assert_eq!(changes(base, &with("ffn[0]=coe(iter=2, k=3, experts=8)")), ["ffn[0].k: 2 -> 3"]);
    assert_eq!(changes(base, &with("ffn[2..4]=coe(iter=2, k=3, experts=8)")), ["ffn[2..4].k: 2 -> 3"]);
    assert_eq!(changes(base, &with("ffn[every 3]=coe(iter=2, k=3, experts=8)")), ["ffn[0, 3].k: 2 -> 3"]);
    assert_eq!(
        changes(base, &with("ffn[0]=dense(hidden=16)")),
        [format!(
            "ffn[0]: {} -> dense(hidden=16, act=swiglu, bias=false, norm_at=before, multiplier=1.0)",
            coec_ir::text::ffn(&spec(base).model.layers.kinds()[0].ffn)
        )]
    );
    // What differs alike in layers that differ otherwise is said once.
    let a = "model a { layers=4 ffn=coe(iter=2, k=2, experts=8) ffn[0]=coe(iter=2, k=4, experts=8) }";
    let b = a.replace("experts=8", "experts=9");
    assert_eq!(changes(a, &b), ["ffn.experts: 8 -> 9"]);
}

#[test]
fn more_of_the_same_is_one_difference() {
    let a = "model a { layers=4 ffn=dense(64) attention=mha(heads=4) }";
    assert_eq!(changes(a, &a.replace("layers=4", "layers=9")), ["layers: 4 -> 9"]);
    let b = a.replace("layers=4", "layers=6 ffn[5]=dense(32)");
    assert_eq!(
        changes(a, &b),
        [
            "layers: 4 -> 6",
            "ffn[5]: - -> dense(hidden=32, act=swiglu, bias=false, norm_at=before, multiplier=1.0)"
        ]
    );
}

#[test]
fn blocks_of_another_kind_are_written_out_and_words_of_equal_blocks_are_not() {
    let of = |ffn: &str| format!("model a {{ layers=1 ffn=coe(iter=1, k=2, experts=8, {ffn}) }}");
    assert_eq!(changes(&of("router=softmax"), &of("router=sigmoid")), ["ffn.router: softmax -> sigmoid"]);
    assert_eq!(
        changes(&of("router=softmax"), &of("router=sigmoid(renorm=true, groups=4, keep=2)")),
        ["ffn.router: softmax(renorm=false, scale=1.0, bias=false) -> \
             sigmoid(renorm=true, scale=1.0, groups=4, keep=2, group_score=max, bias=false)"]
    );
    assert_eq!(
        changes(&of("router=softmax"), &of("router=softmax(groups=4, keep=2)")),
        ["ffn.router.groups: - -> 4", "ffn.router.keep: - -> 2", "ffn.router.group_score: - -> max"]
    );
    assert_eq!(
        changes(&of("balance=seq_aux(0.1)"), &of("balance=[seq_aux(0.1), bias(0.01)]")),
        ["ffn.balance: seq_aux(alpha=0.1) -> [seq_aux(alpha=0.1), bias(rate=0.01)]"]
    );
}

#[test]
fn rules_are_compared_by_what_they_say() {
    let of = |rules: &str| spec(&format!("model a {{ ffn=dense(64) }} budget {{ {rules} }}"));
    let old = of("params.total <= 1G  flops.forward <= 2G");
    let new = of("flops.forward <= 2000M  params.total <= 900M  warn params.total <= 800M");
    let rules = |spec: &Spec| spec.rules.iter().map(|rule| rule.rule.clone()).collect::<Vec<_>>();
    let (before, after) = (rules(&old), rules(&new));
    let found = diff::rules(&before, &after);
    let text = |rules: &[&coec_ir::Rule]| rules.iter().map(|r| coec_ir::text::rule(r)).collect::<Vec<_>>();
    assert_eq!(text(&found.removed), ["params.total <= 1G"]);
    assert_eq!(text(&found.added), ["params.total <= 900M", "warn params.total <= 800M"]);
}

/// Names with their shapes.
fn shapes(model: &Verified<Model>) -> BTreeMap<String, Vec<usize>> {
    let tensors = Tensors::of(model);
    tensors.trained.into_iter().chain(tensors.state).map(|param| (param.name, param.shape)).collect()
}

/// The names of patterns, written out.
fn expanded(patterns: &[Pattern]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for pattern in patterns {
        let mut open = vec![String::new()];
        // Dots between components stand outside braces, those of ranges inside.
        let mut rest = pattern.names.as_str();
        while !rest.is_empty() {
            let alternatives: Vec<String>;
            if let Some(inner) = rest.strip_prefix('{') {
                let (inside, after) = inner.split_once('}').unwrap();
                alternatives = inside.split(',').flat_map(alternative).collect();
                rest = after;
            } else {
                let end = rest.find('{').unwrap_or(rest.len());
                alternatives = vec![rest[..end].to_string()];
                rest = &rest[end..];
            }
            open =
                open.iter().flat_map(|name| alternatives.iter().map(move |a| format!("{name}{a}"))).collect();
        }
        assert_eq!(open.len() as u128, pattern.tensors, "{}", pattern.names);
        for name in open {
            assert!(names.insert(name), "{} names a tensor twice", pattern.names);
        }
    }
    names
}

fn alternative(text: &str) -> Vec<String> {
    match text.split_once("..") {
        Some((first, last)) => {
            let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
            (first..=last).map(|n| n.to_string()).collect()
        }
        None => vec![text.to_string()],
    }
}

#[test]
fn patterns_are_exactly_the_tensors_that_stop_a_checkpoint() {
    let specs: Vec<Spec> = fixtures().into_iter().filter(|spec| spec.model.layers.len() < 9).collect();
    for (place, a) in specs.iter().enumerate() {
        // A part of the pairs, with every model on both sides: names are many.
        for b in specs.iter().skip(place % 5).step_by(5) {
            let (old, new) = (shapes(&a.model), shapes(&b.model));
            let Loading { missing, surplus, misshapen } = diff::loading(&a.model, &b.model);
            let only = |one: &BTreeMap<String, Vec<usize>>, other: &BTreeMap<String, Vec<usize>>| {
                one.keys().filter(|name| !other.contains_key(*name)).cloned().collect::<BTreeSet<_>>()
            };
            assert_eq!(expanded(&missing), only(&new, &old), "{} to {}", a.model.name, b.model.name);
            assert_eq!(expanded(&surplus), only(&old, &new), "{} to {}", a.model.name, b.model.name);
            let differ = |(name, shape): (&String, &Vec<usize>)| {
                old.get(name).is_some_and(|other| other != shape).then(|| name.clone())
            };
            assert_eq!(expanded(&misshapen), new.iter().filter_map(differ).collect());
            for Pattern { shapes, .. } in &misshapen {
                let (before, after) = shapes.as_ref().unwrap();
                assert_ne!(before, after);
            }
        }
    }
}

#[test]
fn many_tensors_are_few_patterns() {
    let old = spec("model a { layers=4 ffn=coe(iter=1, k=4, experts=48) }");
    let new = spec("model b { layers=4 ffn=coe(iter=2, k=4, experts=63) }");
    let loading = diff::loading(&old.model, &new.model);
    let names = |patterns: &[Pattern]| patterns.iter().map(|p| p.names.clone()).collect::<Vec<_>>();
    assert_eq!(
        names(&loading.missing),
        [
            "model.layers.{0..3}.mlp.gate.{0..1}.weight",
            "model.layers.{0..3}.mlp.experts.{48..62}.{gate_proj,up_proj,down_proj}.weight",
        ]
    );
    assert_eq!(names(&loading.surplus), ["model.layers.{0..3}.mlp.gate.weight"]);
    assert_eq!(loading.misshapen, []);
}

/// Fields, each with values that some models can take.
const SETTINGS: &[(&str, &[&str])] = &[
    ("vocab", &["300", "5000"]),
    ("context", &["64", "700"]),
    ("layers", &["1", "9"]),
    ("norm.eps", &["1e-5"]),
    ("embedding.tied", &["true", "false"]),
    ("attention.heads", &["2", "16"]),
    ("attention.rope.theta", &["500000"]),
    ("attention.kv_rank", &["32"]),
    ("attention.q_rank", &["48", "none"]),
    ("attention.qk_norm", &["head", "full"]),
    ("ffn.iter", &["1", "3"]),
    ("ffn.k", &["1", "3"]),
    ("ffn.experts", &["8", "32"]),
    ("ffn.shared", &["0", "2"]),
    ("ffn.hidden", &["24"]),
    ("ffn.act", &["gelu", "relu2"]),
    ("ffn.residual", &["outer", "none", "init"]),
    ("ffn.gate", &["tied", "frozen"]),
    ("ffn.norm", &["each", "tied"]),
    ("ffn.shared_at", &["first"]),
    ("ffn.router", &["sigmoid"]),
    ("ffn.router.scale", &["2.5"]),
    ("ffn.balance", &["bias(0.01)", "none"]),
    ("train.steps", &["7"]),
    ("train.optimizer.lr", &["0.5"]),
    ("train.schedule.warmup", &["3"]),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Of a spec in which every value is written out, so that no other follows from it.
    #[test]
    fn a_setting_is_the_one_difference(
        spec in select(fixtures()),
        (path, values) in select(SETTINGS),
        value in any::<prop::sample::Index>(),
    ) {
        let train = spec.train.clone().map_or_else(|| spec.train_or_default().ok(), Some);
        prop_assume!(train.is_some());
        // In place of another length it is two differences.
        prop_assume!(path != "train.steps" || train.as_ref().is_some_and(|train| train.steps.is_some()));
        let text = coec_ir::text::model(&spec.model) + &train.as_ref().map(coec_ir::text::train).unwrap();
        let files = MapLoader::new().with("a.coe", text);
        let before = load_one("a.coe", &[], &files).unwrap();
        let set = format!("{path}={}", values[value.index(values.len())]);
        if let Ok(after) = load_one("a.coe", &[set], &files) {
            let mut found = diff::model(&before.model, &after.model);
            found.extend(diff::train(before.train.as_ref(), after.train.as_ref()));
            let is_same = before.model == after.model && before.train == after.train;
            let names: Vec<_> = found.iter().map(|change| change.field.as_str()).collect();
            // Layers that were overridden come and go with their number.
            let names: Vec<_> = names.into_iter().filter(|name| path != "layers" || *name == "layers").collect();
            // A block that is set anew takes all its fields with it.
            let inside = |name: &&str| name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            prop_assert_eq!(names.is_empty(), is_same, "{:?}", names);
            prop_assert!(names.iter().all(inside), "{}: {:?}", path, names);
        }
    }
}
