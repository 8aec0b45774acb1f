//! The runs that a sweep goes through.

use coec_lang::{Diagnostics, MapLoader, Point, fit_point, load_one};

const MODEL: &str = "model a { vocab=300 context=64 dim=32 layers=2 attention=mha(heads=2)
    ffn=coe(iter=2, k=2, experts=16, hidden=40) }\n";

fn files(sweep: &str) -> MapLoader {
    MapLoader::new().with("a.coe", format!("{MODEL}{sweep}"))
}

fn points(sweep: &str) -> Result<Vec<Point>, Diagnostics> {
    Ok(load_one("a.coe", &[], &files(sweep))?.sweep()?.unwrap())
}

/// Each run as `field=value field=value`.
fn runs(sweep: &str) -> Vec<String> {
    let run = |point: &Point| {
        let values = point.values.iter().map(|(field, value)| format!("{field}={value}"));
        values.chain(point.problem.iter().map(|problem| format!("! {problem}"))).collect::<Vec<_>>().join(" ")
    };
    points(sweep).unwrap().iter().map(run).collect()
}

#[test]
fn axes_multiply_and_the_last_changes_fastest() {
    assert_eq!(
        runs("sweep { ffn.residual = [inner, outer] train.optimizer.lr = [1e-3, 2e-3] }"),
        [
            "ffn.residual=inner train.optimizer.lr=1e-3",
            "ffn.residual=inner train.optimizer.lr=2e-3",
            "ffn.residual=outer train.optimizer.lr=1e-3",
            "ffn.residual=outer train.optimizer.lr=2e-3",
        ]
    );
    assert_eq!(runs("sweep { }"), [""]);
    assert!(load_one("a.coe", &[], &files("")).unwrap().sweep().unwrap().is_none());
}

#[test]
fn fields_follow_from_others_exactly_and_are_found_by_their_last_name() {
    assert_eq!(
        runs("sweep { k = [2, 4, 3] with iter = 8 / k with experts = 16 * k - 1 }"),
        [
            "ffn.k=2 ffn.iter=4 ffn.experts=31",
            "ffn.k=4 ffn.iter=2 ffn.experts=63",
            "ffn.k=3 ffn.experts=47 ! ffn.iter = 8 / k is 2.6666666666666665, which is no whole number from 0 on",
        ]
    );
    // Of the spec itself where it is no axis; numbers with a point where they may have one.
    assert_eq!(
        runs("sweep { ffn.k = [4] with lr = 1e-3 * 2 / ffn.iter }"),
        ["ffn.k=4 train.optimizer.lr=0.001"]
    );
    assert_eq!(
        runs("sweep { ffn.k = [4] with ffn.iter = 4 / 0 }"),
        ["ffn.k=4 ! ffn.iter = 4 / 0: it divides by zero"]
    );
    assert_eq!(runs("sweep { ffn.k = [4] with ffn.iter = ffn.gate }").len(), 1);
}

#[test]
fn seeds_are_so_many_from_the_specs_own() {
    assert_eq!(runs("sweep { seeds = 2 } train { seed = 7 }"), ["train.seed=7", "train.seed=8"]);
    assert_eq!(runs("sweep { seeds = [3, 1] }"), ["train.seed=3", "train.seed=1"]);
}

#[test]
fn what_is_solved_for_meets_its_rule_in_every_run() {
    let sweep = "sweep { k = [2, 4, 8] with iter = 8 / k  fit ffn.hidden under flops.forward == 160k +- 1% }";
    let files = files(sweep);
    for point in points(sweep).unwrap() {
        let sets: Vec<String> =
            point.values.iter().map(|(field, value)| format!("{field}={value}")).collect();
        let spec = load_one("a.coe", &sets, &files).unwrap();
        let found = fit_point(&spec, &point.fits, &files).unwrap();
        assert!(found.best.holds(), "{sets:?}: {:?}", found.best.values);
    }
}

#[test]
fn mistakes_are_placed() {
    let code = |sweep: &str| points(sweep).unwrap_err().iter().next().unwrap().code();
    assert_eq!(code("sweep { kk = [1] }"), "coec::resolve::unknown_field");
    assert_eq!(code("sweep { fit ffn.hidden under flops.foward == 3 }"), "coec::resolve::unknown_figure");
    assert_eq!(code("sweep { } sweep { }"), "coec::resolve::several_sweeps");
    assert_eq!(code("sweep { seeds = 2000 layers = [1, 2, 3, 4, 5, 6] }"), "coec::resolve::sweep_too_large");
    assert_eq!(code("sweep { k [1] }"), "coec::parse::syntax");
}

#[test]
fn the_layout_keeps_what_a_sweep_says() {
    let text = format!(
        "{MODEL}sweep {{ ffn.k=[2,4] with ffn.iter=8/ffn.k // all\n seeds=3\n fit ffn.hidden under flops.forward==160k+-1% }}"
    );
    let laid_out = coec_lang::format("a.coe", &text).unwrap();
    assert!(laid_out.contains("    ffn.k = [2, 4] with ffn.iter = 8 / ffn.k    // all\n    seeds = 3\n    fit ffn.hidden under flops.forward == 160k +- 1%\n}"), "{laid_out}");
    assert_eq!(coec_lang::format("a.coe", &laid_out).unwrap(), laid_out);
}
