//! Pictures of models: snapshots to look at, and what holds for every picture.
//!
//! `INSTA_UPDATE=always cargo test` rewrites the snapshots; open an SVG in a browser to judge it.

use std::path::{Path, PathBuf};

use coec_graph::{mermaid, svg};
use coec_lang::{Loader, MapLoader, Spec, load};

/// A folder of the repository.
struct Folder(PathBuf);

impl Loader for Folder {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.0.join(path))
    }
}

fn spec(text: &str) -> Spec {
    let files = MapLoader::new().with("a.coe", text);
    load("a.coe", &[], &files).unwrap_or_else(|errors| panic!("{text}\n{errors}")).remove(0)
}

/// Every model of the fixtures that load, and of the families.
fn models() -> Vec<Spec> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut specs = Vec::new();
    for folder in ["tests/lang/pass", "specs/paper", "specs/fair", "specs/families"] {
        let folder = Folder(home.join(folder));
        for entry in std::fs::read_dir(&folder.0).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".coe") && !name.starts_with('_') {
                specs.extend(load(&name, &[], &folder).unwrap_or_default());
            }
        }
    }
    assert!(specs.len() > 50, "the models are found");
    specs
}

#[test]
fn pictures() {
    let attention = "attention=mha(heads=4)";
    for (name, text) in [
        ("moe", format!("model moe {{ dim=256 {attention} ffn=moe(k=4, experts=16, shared=1, hidden=128, balance=seq_aux(0.01)) }}")),
        ("inner_each", format!("model inner_each {{ dim=256 {attention} ffn=coe(iter=3, k=[4, 2, 2], experts=16, hidden=128, residual=inner, norm=each) }}")),
        ("delta_frozen", format!("model delta_frozen {{ dim=256 {attention} ffn=coe(iter=2, k=2, experts=16, shared=1, hidden=128, gate=frozen, residual=delta, router=sigmoid(renorm=true, scale=2.5, groups=4, keep=2), balance=bias(0.001)) }}")),
        ("outer_tied", format!("model outer_tied {{ dim=256 {attention} ffn=coe(iter=2, k=2, experts=16, shared=2, hidden=128, gate=tied, norm=tied, residual=outer, shared_at=last, shared_gate=sigmoid) }}")),
        ("frozen_each", format!("model frozen_each {{ dim=256 {attention} ffn=coe(iter=2, k=2, experts=16, hidden=128, gate=frozen, norm=each, residual=none) }}")),
        ("overrides", "model overrides { dim=256 layers=6 embedding=tokens(tied=true) attention=mha(heads=8, kv_heads=2, qk_norm=head, bias=true) ffn=coe(iter=2, k=2, experts=16, hidden=128, residual=init) ffn[0]=dense(hidden=512) ffn[4]=coe(iter=2, k=2, experts=16, hidden=128, residual=both) }".into()),
        ("latent", "model latent { dim=256 attention=mla(heads=4, kv_rank=64, q_rank=96, rope=yarn(factor=40, original=4096)) ffn=dense(hidden=512, act=gelu) }".into()),
    ] {
        let spec = spec(&text);
        insta::assert_snapshot!(format!("{name}.mmd"), mermaid(&spec.model));
        insta::assert_snapshot!(format!("{name}.svg"), svg(&spec.model));
    }
}

/// The elements of an SVG, each closed where it must be; gives the names of those that open.
fn elements(svg: &str) -> Vec<&str> {
    let (mut open, mut seen) = (Vec::new(), Vec::new());
    let mut rest = svg;
    while let Some((text, tag)) = rest.split_once('<') {
        assert!(
            !text.contains('>') && !text.replace("&amp;", "").replace("&lt;", "").contains("& "),
            "{text}"
        );
        let (tag, after) = tag.split_once('>').expect("a tag ends");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else {
            seen.push(name);
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        rest = after;
    }
    assert!(open.is_empty(), "{open:?} stay open");
    seen
}

/// The numbers of an attribute.
fn numbers<'a>(svg: &'a str, attribute: &'a str) -> impl Iterator<Item = i32> + 'a {
    let key = format!(" {attribute}=\"");
    let parts: Vec<&str> = svg.split(key.as_str()).skip(1).collect();
    parts.into_iter().map(|part| part.split('"').next().unwrap().parse().unwrap())
}

#[test]
fn every_model_is_drawn_well_formed_and_inside_the_page() {
    for spec in models() {
        let (picture, chart) = (svg(&spec.model), mermaid(&spec.model));
        assert_eq!(picture, svg(&spec.model), "one model, one picture");
        let seen = elements(&picture);
        assert_eq!(&seen[..4], ["svg", "title", "desc", "style"]);
        let height = numbers(&picture, "height").next().unwrap();
        for (axis, most) in [("x", 800), ("y", height), ("cx", 800), ("cy", height)] {
            let out = numbers(&picture, axis).find(|n| !(0..=most).contains(n));
            assert_eq!(out, None, "{}: {axis} leaves the page", spec.model.name);
        }
        assert!(!picture.contains("href") && !picture.contains("script"), "nothing is fetched or run");
        let opened = chart.lines().filter(|line| line.trim_start().starts_with("subgraph")).count();
        let closed = chart.lines().filter(|line| line.trim() == "end").count();
        assert_eq!(opened, closed, "{chart}");
        // Every node that an edge names is there.
        for line in chart.lines().filter(|line| line.contains("-->") || line.contains("==>")) {
            let ends = [line.split_whitespace().next().unwrap(), line.split_whitespace().last().unwrap()];
            for end in ends {
                let is_node = |line: &str| {
                    line.trim_start().strip_prefix(end).is_some_and(|rest| rest.starts_with(['[', '(']))
                };
                assert!(chart.lines().any(is_node), "{end} of `{line}` is no node of\n{chart}");
            }
        }
    }
}

#[test]
fn both_pictures_show_every_iteration_and_router() {
    let of = |gate: &str| spec(&format!("coe(iter=3, k=2, experts=8, gate={gate})"));
    for (gate, says) in [
        ("independent", "3 routers, one per iteration"),
        ("tied", "1 router, read in every iteration"),
        ("frozen", "1 router, read once"),
    ] {
        let spec = of(gate);
        assert!(svg(&spec.model).contains(says) && mermaid(&spec.model).contains(says), "{gate}");
        assert!(svg(&spec.model).contains(">3 iterations<"));
        assert!(mermaid(&spec.model).contains("-- next iteration -->"));
    }
    let once = spec("moe(k=2, experts=8)");
    assert!(!svg(&once.model).contains("iterations") && !mermaid(&once.model).contains("iteration"));
}

/// The picture in the README is `coec graph specs/quickstart.coe --out docs/quickstart.svg`.
#[test]
fn the_readme_shows_the_quickstart_as_it_is() {
    let home = Folder(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    let spec = load("specs/quickstart.coe", &[], &home).unwrap().remove(0);
    let kept = std::fs::read_to_string(home.0.join("docs/quickstart.svg")).unwrap();
    assert!(kept == svg(&spec.model), "draw docs/quickstart.svg again");
}
