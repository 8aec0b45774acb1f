//! The specs of the language contract build, and are the models they say they are.

use coec_ir::cost::{Cost, Setting};
use coec_ir::{Conditions, Figure};
use coec_lang::{MapLoader, Severity, Spec, load_one};

const WHOLE: &str = include_str!("../benches/paper.coe");

fn one(text: &str, sets: &[&str]) -> Spec {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_string()).collect();
    load_one("coe2_4_64.coe", &sets, &MapLoader::new().with("coe2_4_64.coe", text))
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn figure(spec: &Spec, figure: Figure) -> u128 {
    let setting = Setting::of(&spec.model, &Conditions::default());
    Cost::of(&spec.model, setting).figure(figure).unwrap().try_into().unwrap()
}

#[test]
fn the_whole_spec_of_the_contract() {
    let spec = one(WHOLE, &[]);
    assert_eq!(spec.model.name, "coe2_4_64");
    assert_eq!(spec.model.doc, "CoE-2(4/64) of arXiv 2506.18945: 63 routed + 1 shared.");
    assert_eq!(figure(&spec, Figure::ParamsTotal), 780_930_048);
    assert_eq!(figure(&spec, Figure::ParamsNonEmbedding), 571_214_848);
    assert_eq!(spec.rules.len(), 7);
    assert_eq!(spec.train.as_ref().unwrap().steps, Some(1000));
    assert!(spec.advice.is_empty());
}

#[test]
fn the_bare_block_builds_and_says_that_it_is_not_the_papers() {
    let spec = one("coe(iter=2, k=4, experts=64, residual=inner, gate=independent)", &[]);
    assert_eq!(spec.model.name, "coe2_4_64");
    let [advice] = spec.advice.as_slice() else { panic!("one piece of advice") };
    assert_eq!(advice.code(), "coec::advice::paper_name");
    assert_eq!(advice.severity(), Severity::Advice);
}

#[test]
fn the_papers_notation() {
    let files = MapLoader::new();
    for (text, name, total) in [
        ("MoE(8/64)", "moe_8_64", 780_672_000),
        ("CoE-2(4/64)", "coe_2_4_64", 780_930_048),
        ("CoE-2(4/48)", "coe_2_4_48", 642_386_944),
    ] {
        let spec = load_one(text, &[], &files).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(spec.model.name, name);
        assert_eq!(figure(&spec, Figure::ParamsTotal), total, "{text}");
        assert!(spec.advice.is_empty() && spec.path.is_none());
    }
    let deeper = load_one("MoE(8/64)", &["layers=8".into()], &files).unwrap();
    assert_eq!(figure(&deeper, Figure::ParamsTotal), 1_351_627_776);
}

#[test]
fn settings_change_what_they_name_and_nothing_else() {
    let before = one(WHOLE, &[]).model.into_inner();
    let spec = one(WHOLE, &["ffn.k=8", "ffn.router.renorm=true", "train.steps=7", "layers=2"]);
    let coe = spec.model.layers.kinds()[0].ffn.as_coe().unwrap();
    let was = before.layers.kinds()[0].ffn.as_coe().unwrap();
    assert_eq!(coe.k, [8, 8]);
    assert!(coe.router.renorm);
    assert_eq!(spec.model.layers.len(), 2);
    assert_eq!(spec.train.unwrap().steps, Some(7));
    assert_eq!((coe.experts, coe.shared, &coe.balance), (was.experts, was.shared, &was.balance));
    let moe = one(WHOLE, &["ffn=moe(k=2, experts=8)", "train.data=text(\"x\")"]);
    assert_eq!(moe.model.layers.kinds()[0].ffn.as_coe().unwrap().experts, 8);
}

#[test]
fn without_a_training_block_the_quickstart_trains() {
    let quickstart = include_str!("../../../specs/quickstart.coe");
    let (bare, _) = quickstart.split_once("train {").unwrap();
    let train = one(quickstart, &[]).train.unwrap();
    let without = one(bare, &[]);
    assert_eq!(without.train, None);
    assert_eq!(without.train_or_default().unwrap(), train);
    let set = one(bare, &["train.optimizer.clip=2"]).train.unwrap();
    assert_eq!((set.optimizer.lr, set.optimizer.clip), (train.optimizer.lr, 2.0));
    assert_eq!(
        one(&format!("{bare} train {{ optimizer = adamw() }}"), &[]).train.unwrap().optimizer.lr,
        3e-4
    );
}
