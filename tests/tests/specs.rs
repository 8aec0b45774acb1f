//! Every spec under specs/ loads, keeps its budgets, and survives being written out.

mod common;

use coec_ir::cost::{Cost, Setting};
use coec_ir::{Conditions, Figure, Model};
use coec_lang::{MapLoader, Outcome, Spec, check, load, load_one};
use common::{Repository, files, lines, text};

fn specs() -> Vec<(String, Spec)> {
    let specs: Vec<_> = files("specs", "coe")
        .into_iter()
        .flat_map(|path| {
            let specs = load(&path, &[], &Repository).unwrap_or_else(|errors| panic!("{}", lines(&errors)));
            specs.into_iter().map(move |spec| (path.clone(), spec))
        })
        .collect();
    assert!(specs.len() >= 14, "the specs are found");
    specs
}

fn figure(model: &coec_ir::Verified<Model>, figure: Figure) -> u128 {
    let cost = Cost::of(model, Setting::of(model, &Conditions::default()));
    cost.figure(figure).unwrap().try_into().unwrap()
}

#[test]
fn every_spec_keeps_its_static_budgets() {
    for (path, spec) in specs() {
        let report = check(&spec, &Repository).unwrap_or_else(|errors| panic!("{}", lines(&errors)));
        for verdict in &report.verdicts {
            let measured = verdict.rule.figure.is_measured();
            let expected = if measured { Outcome::Deferred } else { Outcome::Holds };
            let why = verdict.diagnostic.as_ref().map(|d| format!("{d}; {}", d.help())).unwrap_or_default();
            assert_eq!(verdict.outcome, expected, "{path}:{}: {} {why}", verdict.at.line, verdict.at.text);
        }
    }
}

#[test]
fn every_spec_has_a_training_that_fits_it() {
    for (path, spec) in specs() {
        // The one line has no training, and a vocabulary that the quickstart's bytes fit into.
        let train = spec.train_or_default().unwrap_or_else(|errors| panic!("{path}: {}", lines(&errors)));
        assert!(train.length(&spec.model) > 0);
    }
}

#[test]
fn the_explicit_text_is_the_same_spec() {
    for (path, spec) in specs() {
        let explicit = spec.explicit_text();
        // Beside the original, so that budgets find the specs they name.
        struct Beside(String, String);
        impl coec_lang::Loader for Beside {
            fn read(&self, path: &std::path::Path) -> std::io::Result<Vec<u8>> {
                if path == std::path::Path::new(&self.0) {
                    return Ok(self.1.clone().into());
                }
                Repository.read(path)
            }
        }
        let (folder, _) = path.rsplit_once('/').unwrap();
        let name = format!("{folder}/explicit.coe");
        let files = Beside(name.clone(), explicit.clone());
        let again =
            load_one(&name, &[], &files).unwrap_or_else(|errors| panic!("{path}: {}", lines(&errors)));
        assert_eq!(again.model, spec.model, "{path}");
        assert_eq!(again.train, spec.train, "{path}");
        assert_eq!(again.explicit_text(), explicit, "{path}");
        let report = check(&again, &files).unwrap_or_else(|errors| panic!("{path}: {}", lines(&errors)));
        assert!(!report.is_violated(), "{path}");
    }
}

/// README.md and the command line promise this text.
#[test]
fn the_one_line_is_verbatim() {
    let line = "coe(iter=2, k=4, experts=64, residual=inner, gate=independent)\n";
    assert_eq!(text("specs/coe2_4_64.coe"), line);
    let spec = load_one("specs/coe2_4_64.coe", &[], &Repository).unwrap();
    let advice: Vec<_> = spec.advice.iter().map(|advice| advice.code()).collect();
    assert_eq!(advice, ["coec::advice::paper_name"], "it says that it is not the paper's model");
}

/// The quickstart is built into the binary, where no other file is.
#[test]
fn the_quickstart_needs_no_other_file() {
    let alone = MapLoader::new().with("quickstart.coe", text("specs/quickstart.coe"));
    let spec = load_one("quickstart.coe", &[], &alone).unwrap_or_else(|errors| panic!("{}", lines(&errors)));
    assert!(spec.train.is_some() && !spec.rules.is_empty());
    check(&spec, &alone).unwrap_or_else(|errors| panic!("{}", lines(&errors)));
}

/// The published table: parameters with and without token embedding and output head.
#[test]
fn the_published_parameter_counts() {
    for (name, total, inner) in [
        ("moe_8_64", 780_672_000, 570_956_800),
        ("coe2_4_64", 780_930_048, 571_214_848),
        ("coe2_4_48", 642_386_944, 432_671_744),
        ("moe_8_64_8_layers", 1_351_627_776, 1_141_912_576),
        ("moe_8_64_12_layers", 1_922_583_552, 1_712_868_352),
    ] {
        let spec = load_one(&format!("specs/paper/{name}.coe"), &[], &Repository).unwrap();
        assert_eq!(figure(&spec.model, Figure::ParamsTotal), total, "{name}");
        assert_eq!(figure(&spec.model, Figure::ParamsNonEmbedding), inner, "{name}");
        assert!(spec.advice.is_empty(), "{name} is the paper's");
    }
}

/// The paper's notation means the specs in specs/paper, but for what it leaves out.
#[test]
fn the_notation_means_the_papers_models() {
    for (notation, name) in
        [("MoE(8/64)", "moe_8_64"), ("CoE-2(4/64)", "coe2_4_64"), ("CoE-4(2/64)", "coe4_2_64")]
    {
        let spec = load_one(&format!("specs/paper/{name}.coe"), &[], &Repository).unwrap();
        let short = load_one(notation, &["ffn.balance=seq_aux(0.001)".into()], &Repository).unwrap();
        assert_eq!(short.model.layers, spec.model.layers, "{notation}");
        assert_eq!((short.model.vocab, short.model.dim), (spec.model.vocab, spec.model.dim), "{notation}");
    }
}

/// A fair pair differs in its chain and in nothing else.
#[test]
fn the_fair_pair_is_trained_alike() {
    let [chain, moe] =
        ["chain", "moe"].map(|name| load_one(&format!("specs/fair/{name}.coe"), &[], &Repository).unwrap());
    assert_eq!(chain.train, moe.train);
    let attention = |spec: &Spec| spec.model.layers.iter().map(|l| l.attention.clone()).collect::<Vec<_>>();
    assert_eq!(attention(&chain), attention(&moe));
    let [of_chain, of_moe] = [&chain, &moe].map(|spec| figure(&spec.model, Figure::FlopsForward));
    assert!(of_chain.abs_diff(of_moe) * 100 <= of_moe, "{of_chain} against {of_moe} FLOP a token");
}

/// What `coec new` writes is a spec that keeps its budget.
#[test]
fn the_template_of_a_new_spec_is_one() {
    let template = text("crates/coec/templates/new.coe").replace("NAME", "tiny");
    let alone = MapLoader::new().with("tiny.coe", template);
    let spec = load_one("tiny.coe", &[], &alone).unwrap_or_else(|errors| panic!("{}", lines(&errors)));
    assert_eq!(spec.model.name, "tiny");
    let report = check(&spec, &alone).unwrap_or_else(|errors| panic!("{}", lines(&errors)));
    let wrong: Vec<_> = report.diagnostics().map(|d| format!("{d}; {}", d.help())).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
