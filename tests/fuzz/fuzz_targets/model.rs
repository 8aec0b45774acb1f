//! Any model through verification, and a verified one through everything that needs no device.
#![no_main]

use std::collections::HashSet;

use arbitrary::Unstructured;
use coec_ir::cost::{Cost, Setting};
use coec_ir::{Ffn, Figure, Model, Precision, Tensors, text, verify};
use coec_lang::{MapLoader, load_one};
use libfuzzer_sys::fuzz_target;

/// Most experts of a model whose tensors are listed by name.
const MOST_LISTED: usize = 20_000;

fuzz_target!(|bytes: &[u8]| {
    let mut u = Unstructured::new(bytes);
    let Ok(model) = coec_fuzz::model(&mut u) else { return };
    let verified = match verify(model.clone()) {
        Ok(verified) => verified,
        Err(violations) => {
            assert!(!violations.is_empty());
            for violation in violations {
                let kind = violation.kind;
                assert!(!kind.message().is_empty() && !kind.label().is_empty() && !kind.help().is_empty());
            }
            return;
        }
    };
    let setting = Setting { context: model.context, batch: 1 << 20, precision: Precision::F32 };
    let cost = Cost::of(&verified, setting);
    for figure in Figure::ALL {
        assert_eq!(cost.figure(figure).is_none(), figure.is_measured(), "{}", figure.name());
    }
    let experts = |ffn: &Ffn| ffn.as_coe().map_or(0, |coe| coe.experts);
    if model.layers.iter().map(|layer| experts(&layer.ffn)).sum::<usize>() < MOST_LISTED {
        let tensors = Tensors::of(&verified);
        let elements: u128 = tensors.trained.iter().map(|tensor| tensor.elements()).sum();
        assert_eq!(elements, cost.total.params);
        let names: HashSet<_> =
            tensors.trained.iter().chain(&tensors.state).map(|tensor| &tensor.name).collect();
        assert_eq!(names.len(), tensors.trained.len() + tensors.state.len(), "names are unique");
    }

    let explicit = text::model(&model);
    let files = MapLoader::new().with("fuzzed.coe", explicit.as_str());
    let again = load_one("fuzzed.coe", &[], &files).unwrap_or_else(|errors| panic!("{explicit}\n{errors}"));
    assert_eq!(*again.model, model, "{explicit}");

    let json = serde_json::to_string(&model).expect("a verified model is JSON");
    let again: Model = serde_json::from_str(&json).expect("a model's JSON is one");
    assert_eq!(again, model, "{json}");
});
