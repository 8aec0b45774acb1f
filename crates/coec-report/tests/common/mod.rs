//! Reports made of nothing but formulas.
#![allow(dead_code)] // each test file uses its part

pub mod tags;

use coec_lang::{MapLoader, load_one};
use coec_report::values::*;

/// A spec as a run has it.
pub fn spec(name: &str, ffn: &str, steps: u64, seed: u64) -> Spec {
    let text = format!(
        "model {name} {{
    vocab=256 context=128 dim=64 layers=3 embedding=tokens(tied=true) attention=mha(heads=4)
    ffn={ffn}
}}
train {{ steps={steps} batch=16 context=128 seed={seed} eval=every({}, batches=2) }}
",
        (steps / 10).max(1)
    );
    let spec = load_one("a.coe", &[], &MapLoader::new().with("a.coe", text.as_str())).unwrap();
    let train = spec.train_or_default().unwrap();
    Spec { model: spec.model, train, text }
}

pub const CHAIN: &str = "coe(iter=2, k=2, experts=8, shared=1, hidden=64, residual=delta)";
pub const MOE: &str = "moe(k=4, experts=8, shared=2, hidden=64)";

/// A number between 0 and 1 that looks like chance.
pub fn noise(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// A run of so many steps that learns at a rate.
pub fn run(name: &str, steps: u64, rate: f64, seed: u64) -> Run {
    let every = (steps / 10).max(1);
    let loss = |step: u64| 0.4 + 5.2 * (-(step as f64) / (steps as f64 * rate)).exp();
    let of = |step: u64| Step {
        step,
        tokens: 2048 * step,
        seconds: 0.28 * step as f64 * (1.0 + 0.1 * noise(seed)),
        loss: loss(step) + 0.3 * (noise(seed * 7919 + step) - 0.5),
        val_loss: step.is_multiple_of(every).then(|| loss(step) + 0.05 * noise(seed + step)),
    };
    Run { name: name.into(), seed: Some(seed), steps: Some((1..=steps).map(of).collect()), ..Run::default() }
}

/// What a run records of its experts: layers, iterations, experts, evaluations.
pub fn with_experts(mut run: Run, layers: usize, iterations: usize, experts: usize, evaluations: u64) -> Run {
    let steps = run.steps.as_ref().map_or(100, |steps| steps.len() as u64);
    let (mut loads, mut routings) = (Vec::new(), Vec::new());
    for evaluation in 1..=evaluations {
        let step = steps * evaluation / evaluations;
        for layer in 0..layers {
            for iteration in 0..iterations {
                let chance =
                    |expert: usize| noise((layer * 131 + iteration * 17 + expert * 3) as u64 + evaluation);
                // Expert 1 of layer 0 is never selected.
                let count = |expert: usize| match (layer, expert) {
                    (0, 1) => 0,
                    _ => 200 + (800.0 * chance(expert)) as u64,
                };
                let counts: Vec<u64> = (0..experts).map(count).collect();
                loads.push(Load { step, layer, pass: 0, iteration, counts: counts.clone() });
                let mut pairs: Vec<(u32, u32, u64)> = Vec::new();
                for a in 0..experts as u32 {
                    for b in 0..experts as u32 {
                        let count = (60.0 * noise(u64::from(a * 1009 + b) + layer as u64)) as u64;
                        pairs.push((a, b, count + if a == b { 40 } else { 0 }));
                    }
                }
                pairs.sort_by_key(|pair| std::cmp::Reverse(pair.2));
                pairs.truncate(1024);
                let entropy = (experts as f64).ln() * (1.0 - 0.4 * evaluation as f64 / evaluations as f64)
                    - 0.05 * layer as f64;
                let follows = (iteration > 0).then_some(pairs);
                routings.push(Routing {
                    step,
                    layer,
                    pass: 0,
                    iteration,
                    tokens: 2048,
                    entropy,
                    counts,
                    follows,
                });
            }
        }
    }
    (run.loads, run.routings) = (Some(loads), Some(routings));
    run
}

/// What a run records at its end.
pub fn with_end(mut run: Run, layers: usize, experts: usize) -> Run {
    let mut names = vec!["model.embed_tokens.weight".to_owned(), "model.norm.weight".into()];
    for layer in 0..layers {
        for part in
            ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate.0"]
        {
            names.push(format!("model.layers.{layer}.{part}.weight"));
        }
        for expert in 0..experts {
            for part in ["gate_proj", "up_proj", "down_proj"] {
                names.push(format!("model.layers.{layer}.mlp.experts.{expert}.{part}.weight"));
            }
        }
    }
    let distance = |(number, name): (usize, String)| Distance {
        name,
        start: 1.0 + noise(number as u64),
        change: 0.02 + 1.5 * noise(number as u64 + 50).powi(3),
    };
    let step = run.steps.as_ref().map_or(0, |steps| steps.len() as u64);
    run.moved = Some(Moved { step, tensors: names.into_iter().enumerate().map(distance).collect() });
    let row = |figure: &str, closed: &str, captured: &str, measured: &str, verdict: &str| CardRow {
        figure: figure.into(),
        closed_form: closed.into(),
        captured: captured.into(),
        measured: measured.into(),
        verdict: verdict.into(),
        fails: false,
    };
    run.card = Some(Card {
        setting: "16 x 128 tokens, f32, on cpu".into(),
        rows: vec![
            row("params.total", "3.655 M", "3.655 M", "", "equal"),
            row("flops.executed_train", "9.732 M", "9.732 M", "9.732 M", "equal"),
            row("memory.train", "170.3 MiB", "", "161.3 MiB", "-5.3%"),
        ],
        budgets: vec![
            Budget {
                rule: "params.total <= 4M".into(),
                value: "3.655 M".into(),
                verdict: "holds".into(),
                fails: false,
            },
            Budget {
                rule: "flops.forward <= 3M".into(),
                value: "3.114 M".into(),
                verdict: "FAILS".into(),
                fails: true,
            },
        ],
        unmoved: vec!["model.layers.0.mlp.gate.0.weight".into()],
    });
    let sample = |prompt: &str, text: &str| Sample { prompt: prompt.into(), text: text.into() };
    run.samples = Some(vec![
        sample(
            "Omar shares 4 cookies equally among 2 friends. How many cookies does each friend get?\n",
            "4 / 2 = 2. The answer is 2.\n",
        ),
        sample(
            "A book has 110 pages. Zoe reads 2 pages a day for 8 days. How many pages are left?\n",
            "2 * 8 = 16. 110 - 16 = 94. The answer is 94.\n",
        ),
    ]);
    run
}

/// A run with all its records.
pub fn whole(name: &str, steps: u64, rate: f64, seed: u64, iterations: usize) -> Run {
    with_end(with_experts(run(name, steps, rate, seed), 3, iterations, 8, 10), 3, 8)
}

/// One run.
pub fn single() -> Report {
    let runs = vec![whole("runs/chain-1", 200, 0.2, 42, 2)];
    let arm = Arm { name: "chain".into(), spec: Some(spec("chain", CHAIN, 200, 42)), runs, val_loss: None };
    Report { version: "0.1.0".into(), arms: vec![arm], pairs: Vec::new() }
}

/// A comparison of two specs over three seeds; with `fair` or without.
pub fn compared(fair: bool) -> Report {
    let arm = |name: &str, ffn: &str, rate: f64, iterations| Arm {
        name: name.into(),
        spec: Some(spec(name, ffn, 200, 1)),
        runs: (1..=3)
            .map(|seed| whole(&format!("{name}/seed-{seed}"), 200, rate, seed, iterations))
            .collect(),
        val_loss: Some(Spread { mean: 0.43, std: Some(0.01) }),
    };
    let difference =
        |mean: f64| Difference { mean, interval: Some((mean - 0.016, mean + 0.016)), confidence: Some(0.95) };
    let pair = Pair {
        a: "chain".into(),
        b: "moe".into(),
        sentence: Some("chain is below moe by 0.031 nats a token; over 2 seeds that is established.".into()),
        difference: Some(difference(-0.031)),
        at_equal: vec![AtEqual {
            axis: "tokens".into(),
            spent: 409_600.0,
            difference: Some(difference(-0.031)),
        }],
        verdict: Some(Verdict::Established),
        fair,
        differs: if fair { Vec::new() } else { vec!["flops.forward +11.0%".into()] },
    };
    let arms = vec![arm("moe", MOE, 0.25, 1), arm("chain", CHAIN, 0.2, 2)];
    Report { version: "0.1.0".into(), arms, pairs: vec![pair] }
}

/// Twenty specs, one run each.
pub fn twenty() -> Report {
    let arm = |number: u64| {
        let (name, experts) = (format!("model_{number}"), 8 + number);
        let ffn = format!("coe(iter=2, k=2, experts={experts}, shared=1, hidden=64, residual=delta)");
        let run = whole(&format!("runs/{name}-1"), 200, 0.1 + 0.02 * number as f64, number, 2);
        Arm { spec: Some(spec(&name, &ffn, 200, number)), name, runs: vec![run], val_loss: None }
    };
    Report { version: "0.1.0".into(), arms: (0..20).map(arm).collect(), pairs: Vec::new() }
}

/// A run of an earlier version: no routing, no movement, no samples, and one of whose spec nothing is known.
pub fn old() -> Report {
    let mut run = whole("runs/old-1", 50, 0.2, 1, 2);
    (run.routings, run.moved, run.samples) = (None, None, None);
    let unknown = Run { name: "runs/unknown-1".into(), ..Run::default() };
    let arms = vec![
        Arm { name: "old".into(), spec: Some(spec("old", CHAIN, 50, 1)), runs: vec![run], val_loss: None },
        Arm { name: "unknown".into(), spec: None, runs: vec![unknown], val_loss: None },
    ];
    Report { version: "0.1.0".into(), arms, pairs: Vec::new() }
}
