//! What budgets say of the models of the contract.

use coec_ir::{Figure, Quantity};
use coec_lang::{MapLoader, Outcome, Report, Severity, Spec, check, load_one};

const WHOLE: &str = include_str!("../benches/paper.coe");

fn files(text: &str) -> MapLoader {
    let moe = "coe(iter=1, k=8, experts=63, shared=1)";
    MapLoader::new().with("a.coe", text).with("moe_8_64.coe", moe)
}

fn judged(text: &str) -> (Spec, Report) {
    let files = files(text);
    let spec = load_one("a.coe", &[], &files).unwrap_or_else(|errors| panic!("{errors}"));
    let report = check(&spec, &files).unwrap_or_else(|errors| panic!("{errors}"));
    (spec, report)
}

fn budget(rules: &str) -> Report {
    let model = WHOLE.split("budget").next().unwrap();
    judged(&format!("{model} budget {{ {rules} }}")).1
}

#[test]
fn the_whole_spec_keeps_its_budget() {
    let (spec, report) = judged(WHOLE);
    let outcomes: Vec<_> = report.verdicts.iter().map(|verdict| verdict.outcome).collect();
    let errors: Vec<_> = report.diagnostics().map(|d| format!("{d} {}", d.help())).collect();
    assert_eq!(outcomes[..6], [Outcome::Holds; 6], "{errors:#?}");
    assert_eq!(outcomes[6], Outcome::Deferred);

    let mfu = |text: &str| {
        let share = Quantity::parse(text).unwrap();
        let value = |figure| (figure == Figure::MeasuredMfu).then(|| share.clone());
        let outcome = report.verdicts[6].measured(&spec, "cuda", value).outcome;
        assert_eq!(report.verdicts[6].measured(&spec, "flex", value).outcome, Outcome::Deferred);
        outcome
    };
    assert_eq!(mfu("0.2"), Outcome::Holds);
    assert_eq!(mfu("0.1"), Outcome::Warned);
}

#[test]
fn a_violation_says_what_would_close_the_gap() {
    let report = budget("params.active <= 300M");
    let [verdict] = report.verdicts.as_slice() else { panic!() };
    assert_eq!(verdict.outcome, Outcome::Violated);
    assert!(report.is_violated());
    let diagnostic = verdict.diagnostic.as_ref().unwrap();
    assert_eq!(diagnostic.code(), "coec::budget::violated");
    let help = diagnostic.help();
    assert!(help.contains("over") && help.contains('%'), "{help}");
    // Every fix it lists must work.
    let fixes: Vec<_> = help.split('`').skip(1).step_by(2).map(|fix| fix.replace(' ', "")).collect();
    assert!(!fixes.is_empty() && fixes.len() <= 4, "{help}");
    let model = WHOLE.split("budget").next().unwrap();
    let text = format!("{model} budget {{ params.active <= 300M }}");
    for fix in fixes {
        let spec = load_one("a.coe", std::slice::from_ref(&fix), &files(&text)).unwrap();
        assert!(!check(&spec, &files(&text)).unwrap().is_violated(), "{fix}");
    }
}

#[test]
fn a_warning_breaks_nothing() {
    let report = budget("warn params.total <= 1M");
    assert!(!report.is_violated());
    let diagnostic = report.diagnostics().next().unwrap();
    assert_eq!((diagnostic.code(), diagnostic.severity()), ("coec::budget::warned", Severity::Warning));
}

#[test]
fn figures_on_the_right() {
    for (rule, outcome) in [
        ("flops.forward <= flops.executed", Outcome::Holds),
        ("flops.executed <= flops.forward", Outcome::Violated),
        ("flops.forward == flops.forward(\"CoE-2(4/64)\")", Outcome::Holds),
        ("experts.calls <= experts.calls(\"moe_8_64.coe\")", Outcome::Violated),
        ("experts.calls <= experts.calls(\"moe_8_64.coe\") +- 12%", Outcome::Holds),
        ("experts.calls == experts.calls(\"moe_8_64.coe\") +- 12% per layer", Outcome::Holds),
        ("measured.flops <= flops.train +- 5%", Outcome::Deferred),
    ] {
        assert_eq!(budget(rule).verdicts[0].outcome, outcome, "{rule}");
    }
}

#[test]
fn two_specs_may_name_each_other() {
    let spec = |other| {
        format!(
            "model m {{ ffn = moe(k=2, experts=4) }} budget {{ params.total == params.total(\"{other}\") }}"
        )
    };
    let files = MapLoader::new().with("a.coe", spec("b.coe")).with("b.coe", spec("a.coe"));
    let a = load_one("a.coe", &[], &files).unwrap();
    assert_eq!(check(&a, &files).unwrap().verdicts[0].outcome, Outcome::Holds);
}

#[test]
fn the_explicit_text_is_the_same_model() {
    let (spec, _) = judged(WHOLE);
    let text = spec.explicit_text();
    let again = judged(&text).0;
    assert_eq!((&again.model, &again.train), (&spec.model, &spec.train));
    assert_eq!(again.explicit_text(), text);
}
