use coec_lang::*;
use std::fmt::Write;
use std::time::Instant;
fn many(bytes: usize) -> String {
    let mut text = String::new();
    let mut i = 0;
    while text.len() < bytes - 400 {
        let _ = write!(
            text,
            "/// Model {i}.\nlet wide{i} = coe(iter=2, k=[4, 2], experts=16, shared=1, hidden=64)\nmodel m{i} {{ dim = 64 layers = 4 attention = mha(heads=4) ffn = wide{i} ffn[0] = dense(256) }}\nbudget m{i} {{ params.active <= 1G flops.forward >= 1k @ context=64 }}\n"
        );
        i += 1;
    }
    text
}
fn main() {
    for n in [100 << 10, 1 << 20] {
        let t = many(n);
        let f = MapLoader::new().with("a.coe", t);
        for (what, spec) in [("parse", "a.coe#m0"), ("all", "a.coe")] {
            let mut best = f64::MAX;
            let mut d = 0.0;
            let mut c = 0.0;
            for _ in 0..8 {
                let s = Instant::now();
                let r = load(spec, &[], &f).unwrap();
                let e = s.elapsed().as_secs_f64();
                let s = Instant::now();
                let x: u128 = r
                    .iter()
                    .map(|s| {
                        coec_ir::cost::Cost::of(
                            &s.model,
                            coec_ir::cost::Setting::of(&s.model, &Default::default()),
                        )
                        .total
                        .params
                    })
                    .sum();
                let cc = s.elapsed().as_secs_f64();
                assert!(x > 0);
                let s = Instant::now();
                drop(r);
                let dd = s.elapsed().as_secs_f64();
                if e < best {
                    best = e;
                    d = dd;
                    c = cc;
                }
            }
            println!("{n} {what} load {:.2}ms cost {:.2}ms drop {:.2}ms", best * 1e3, c * 1e3, d * 1e3);
        }
    }
}
