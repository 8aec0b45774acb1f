//! What an editor changes in a text, and what it asks of one.

use coec_lang::{Fix, MapLoader, Spec, check, load, load_one};

fn one(text: &str) -> (Spec, MapLoader) {
    let files = MapLoader::new().with("a.coe", text);
    (load_one("a.coe", &[], &files).unwrap(), files)
}

/// The values that would close the gaps of a text, applied one at a time.
fn closed(text: &str) -> Vec<(Fix, String)> {
    let (spec, files) = one(text);
    let report = check(&spec, &files).unwrap();
    let fixes = report.verdicts.iter().flat_map(|verdict| verdict.fixes.clone());
    fixes.map(|fix| (fix.clone(), spec.text_with(&[(fix.path, fix.then)]).unwrap())).collect()
}

#[test]
fn a_fix_closes_the_gap_and_leaves_the_rest() {
    let text = "model a { // kept\n    layers = 2\n    ffn = moe(k=4, experts=16, hidden=256)\n}\nbudget { params.total <= 230M }\n";
    let closed = closed(text);
    assert!(closed.len() > 1, "{closed:?}");
    for (fix, text) in closed {
        let (spec, files) = one(&text);
        assert!(!check(&spec, &files).unwrap().is_violated(), "{text}");
        assert_eq!(spec.count(fix.path), Some(fix.then));
        assert!(text.contains("// kept") && text.contains("budget { params.total <= 230M }"), "{text}");
    }
}

#[test]
fn a_block_stays_one_while_its_own_fields_change() {
    let (spec, _) = one("// mine\ncoe(iter=2, k=4, experts=64)\n");
    let with = |path, n| spec.text_with(&[(path, n)]).unwrap();
    assert_eq!(with("ffn.k", 2), "// mine\ncoe(iter=2, k=2, experts=64)\n");
    assert_eq!(
        with("layers", 8),
        "// mine\nmodel a {\n    layers = 8\n    ffn = coe(iter=2, k=4, experts=64)\n}\n"
    );
    assert_eq!(spec.text_with(&[("ffn.k", 100)]), None, "no model has that many");
    assert_eq!(spec.text_with_names(), "// mine\nmodel a {\n    ffn = coe(iter=2, k=4, experts=64)\n}\n");
}

/// Comments have braces of their own.
#[test]
fn a_field_goes_into_the_models_braces() {
    let text = "model base { layers = 2 ffn = dense() }\nmodel a extends \"a.coe#base\" /* { */ { }\n";
    let files = MapLoader::new().with("a.coe", text);
    let specs = load("a.coe", &[], &files).unwrap();
    let changed = specs[1].text_with(&[("layers", 4)]).unwrap();
    assert_eq!(changed, text.replace("/* { */ { }", "/* { */ { layers = 4 }"));
}

#[test]
fn fields_know_their_layers() {
    let text = "model base { layers = 6 ffn = moe(k=2, experts=8) ffn[0] = dense() ffn[5] = dense() }
        model own extends \"a.coe#base\" { ffn[every 3] = coe(iter=2, k=2, experts=8) attention = mha(heads=8) }";
    let files = MapLoader::new().with("a.coe", text);
    let specs = load("a.coe", &[], &files).unwrap();
    let shown = |spec: &Spec| -> Vec<(String, Vec<usize>)> {
        spec.layer_fields().into_iter().map(|field| (field.at.text, field.layers)).collect()
    };
    let of = |name: &str, layers: &[usize]| (name.to_string(), layers.to_vec());
    assert_eq!(shown(&specs[0]), [of("ffn", &[1, 2, 3, 4]), of("ffn", &[0]), of("ffn", &[5])]);
    // Layer 5 has what the base says of it, and no field of its own text.
    assert_eq!(shown(&specs[1]), [of("ffn", &[0, 3]), of("attention", &[0, 1, 2, 3, 4, 5])]);
}
