//! Any model through verification, and a verified one through everything that needs no device.
#![no_main]

use std::collections::BTreeMap;

use arbitrary::Unstructured;
use coec_emit::{Input, emit};
use coec_ir::cost::{Cost, Setting};
use coec_ir::{Ffn, Figure, Model, Precision, Recompute, Shard, Tensors, Verified, diff, text, verify};
use coec_lang::{MapLoader, load_one};
use libfuzzer_sys::fuzz_target;

/// Most experts of a model whose tensors are listed by name.
const MOST_LISTED: usize = 500;

/// The shapes of a model's tensors by their names, unless there are too many.
fn shapes(model: &Verified<Model>) -> Option<BTreeMap<String, Vec<usize>>> {
    let experts = |ffn: &Ffn| if let Ffn::Coe(coe) = ffn { coe.experts } else { 0 };
    if model.layers.iter().map(|layer| experts(&layer.ffn)).sum::<usize>() > MOST_LISTED {
        return None;
    }
    let Tensors { trained, state } = Tensors::of(model);
    let count = trained.len() + state.len();
    let shapes: BTreeMap<_, _> =
        trained.into_iter().chain(state).map(|tensor| (tensor.name, tensor.shape)).collect();
    assert_eq!(shapes.len(), count, "names are unique");
    Some(shapes)
}

/// The figures, of which the parameters are those of the tensors.
fn cost(model: &Verified<Model>) -> Cost {
    let setting = |recompute, ranks, shard| {
        let (context, batch, precision) = (model.context, 1 << 20, Precision::F32);
        Setting { context, batch, precision, recompute, ranks, shard }
    };
    for &recompute in Recompute::ALL {
        for (ranks, shard) in [(1, Shard::None), (1 << 20, Shard::None), (7, Shard::Full)] {
            let cost = Cost::of(model, setting(recompute, ranks, shard));
            for figure in Figure::ALL {
                assert_eq!(cost.figure(figure).is_none(), figure.is_measured(), "{}", figure.name());
            }
        }
    }
    let cost = Cost::of(model, setting(Recompute::None, 1, Shard::None));
    if shapes(model).is_some() {
        let elements: u128 = Tensors::of(model).trained.iter().map(|tensor| tensor.elements()).sum();
        assert_eq!(elements, cost.total.params);
    }
    cost
}

/// The explicit text and the JSON, which read back as the same model.
fn written(model: &Verified<Model>) {
    let explicit = text::model(model);
    let files = MapLoader::new().with("fuzzed.coe", explicit.as_str());
    let again = load_one("fuzzed.coe", &[], &files).unwrap_or_else(|errors| panic!("{explicit}\n{errors}"));
    assert_eq!(*again.model, **model, "{explicit}");

    let json = serde_json::to_string(&**model).expect("a verified model is JSON");
    let again: Model = serde_json::from_str(&json).expect("a model's JSON is one");
    assert_eq!(again, **model, "{json}");
}

/// The crate, of the same bytes each time.
fn emitted(model: &Verified<Model>) {
    let (spec, ir) = (text::model(model), serde_json::to_string(&**model).expect("a verified model is JSON"));
    let input = Input { model, spec: &spec, ir: &ir, budget: "{}", picture: "", link: None };
    let files = emit(input).unwrap_or_else(|error| panic!("{spec}\n{error}"));
    assert_eq!(files, emit(input).expect("the same again"), "{spec}");
}

/// Both pictures, of the same bytes each time. An SVG's elements are all closed.
fn drawn(model: &Verified<Model>) {
    let svg = coec_graph::svg(model);
    assert_eq!(svg, coec_graph::svg(model));
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg}");
    let mermaid = coec_graph::mermaid(model);
    let count = |word: &str| mermaid.lines().filter(|line| line.trim_start().starts_with(word)).count();
    assert_eq!(count("subgraph "), mermaid.lines().filter(|line| line.trim() == "end").count(), "{mermaid}");
}

/// What differs between two models: nothing means that they are one, in fields and in tensors.
fn compared(old: &Verified<Model>, new: &Verified<Model>) {
    let nameless = |model: &Model| Model { name: String::new(), doc: String::new(), ..model.clone() };
    assert_eq!(diff::model(old, new).is_empty(), nameless(old) == nameless(new));
    for change in diff::figures(&cost(old), &cost(new)) {
        assert_eq!(change.is_equal(), change.delta() == 0.into());
        let _ = change.relative();
    }
    if let (Some(before), Some(after)) = (shapes(old), shapes(new)) {
        let loading = diff::loading(old, new);
        assert_eq!(loading.succeeds(), before == after, "{loading:?}");
        let counted = |patterns: &[diff::Pattern]| patterns.iter().map(|p| p.tensors).sum::<u128>();
        let missing = after.keys().filter(|name| !before.contains_key(*name)).count();
        let surplus = before.keys().filter(|name| !after.contains_key(*name)).count();
        let misshapen =
            before.iter().filter(|(name, shape)| after.get(*name).is_some_and(|other| other != *shape));
        assert_eq!(counted(&loading.missing), missing as u128, "{loading:?}");
        assert_eq!(counted(&loading.surplus), surplus as u128, "{loading:?}");
        assert_eq!(counted(&loading.misshapen), misshapen.count() as u128, "{loading:?}");
    }
}

/// A verified model, or nothing for one whose violations can be told.
fn verified(u: &mut Unstructured) -> Option<Verified<Model>> {
    match verify(coec_fuzz::model(u).ok()?) {
        Ok(model) => Some(model),
        Err(violations) => {
            assert!(!violations.is_empty());
            for violation in violations {
                let kind = violation.kind;
                assert!(!kind.message().is_empty() && !kind.label().is_empty() && !kind.help().is_empty());
            }
            None
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut u = Unstructured::new(bytes);
    let Some(model) = verified(&mut u) else { return };
    cost(&model);
    written(&model);
    drawn(&model);
    compared(&model, &model);
    if let Some(other) = verified(&mut u) {
        compared(&model, &other);
    }
    // It has a megabyte of files, nearly all of them the same for every model.
    if u.ratio(15, 16).is_ok_and(|skipped| !skipped) {
        emitted(&model);
    }
});
