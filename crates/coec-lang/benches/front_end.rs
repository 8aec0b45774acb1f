//! How long the front end takes: read, parse, resolve, verify and count.

use std::fmt::Write as _;

use coec_ir::Conditions;
use coec_ir::cost::{Cost, Setting};
use coec_lang::{MapLoader, format, load};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// The whole spec of the language reference.
const PAPER: &str = include_str!("paper.coe");

/// About `bytes` of specs in which most of the language occurs.
fn many_models(bytes: usize) -> String {
    let mut text = String::new();
    for i in 0.. {
        if text.len() > bytes - 400 {
            break;
        }
        let _ = write!(
            text,
            "/// Model {i}.\nlet wide{i} = coe(iter=2, k=[4, 2], experts=16, shared=1, hidden=64)\n\
             model m{i} {{ dim = 64 layers = 4 attention = mha(heads=4) ffn = wide{i} ffn[0] = dense(256) }}\n\
             budget m{i} {{ params.active <= 1G flops.forward >= 1k @ context=64 }}\n"
        );
    }
    text
}

fn front_end(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("front_end");
    let texts =
        [("paper", PAPER.to_string()), ("100 KiB", many_models(100 << 10)), ("1 MiB", many_models(1 << 20))];
    for (name, text) in texts {
        group.throughput(Throughput::Bytes(text.len() as u64));
        let files = MapLoader::new().with("a.coe", text);
        group.sample_size(20).bench_with_input(
            BenchmarkId::from_parameter(name),
            &files,
            |bencher, files| {
                bencher.iter(|| {
                    let specs = load("a.coe", &[], files).unwrap_or_default();
                    let cost = |model| Cost::of(model, Setting::of(model, &Conditions::default()));
                    specs.iter().map(|spec| cost(&spec.model).total.params).sum::<u128>()
                });
            },
        );
    }
    group.finish();
}

/// Laying out the same texts.
fn layout(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("format");
    for (name, text) in [("100 KiB", many_models(100 << 10)), ("1 MiB", many_models(1 << 20))] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.sample_size(20).bench_with_input(BenchmarkId::from_parameter(name), &text, |bencher, text| {
            bencher.iter(|| format("a.coe", text).map(|text| text.len()).unwrap_or_default());
        });
    }
    group.finish();
}

criterion_group!(benches, front_end, layout);
criterion_main!(benches);
