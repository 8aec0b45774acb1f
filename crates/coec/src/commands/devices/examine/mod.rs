//! `coec devices --examine`: one table of all that a device is trusted for. Minutes on a GPU, and it needs
//! nothing but this binary.

mod layer;
mod runs;

use coec_ir::Precision;
use coec_train::device::{check, peak};
use serde_json::{Value, json};

use self::layer::Sizes;
use self::runs::Runs;
use crate::{
    cli::DeviceArgs,
    failure::{Done, Failure},
    render::{self, agreement, json::print_json, progress::Progress},
};

/// The paper's model, whose step is timed.
const PAPER: &str = include_str!("../../../../../../specs/paper/coe2_4_64.coe");

/// A model that every device trains in seconds.
const SMALL: &str = "model examined {
    vocab=256 context=32 dim=32 layers=2 embedding=tokens(tied=true) attention=mha(heads=4, kv_heads=2)
    ffn=coe(iter=2, k=2, experts=8, shared=1, hidden=16, residual=inner, balance=seq_aux(alpha=0.01))
}
train { steps=20 batch=4 context=32 schedule=constant(warmup=0) eval=every(500, batches=1) }
";

/// How the paper's model is trained here.
const PAPER_TRAINING: &str = "train {
    steps=12 batch=64 context=512 schedule=constant(warmup=0) eval=every(100, batches=1)
}
";

/// Rows of the table, of a fast device.
const ANSWERS: usize = 10;

/// FLOP/s of a device that trains the paper's model within a minute.
const FAST: f64 = 5e12;

/// What was asked of a device, and what it answered.
struct Row {
    asked: &'static str,
    answer: String,
    /// Whether it is as it should be; none where that is nobody's to say.
    holds: Option<bool>,
}

pub fn run(at: DeviceArgs, json: bool) -> Result<Done, Failure> {
    let cpu = at.backend.reference().ok_or_else(|| {
        Failure::input(
            "coec::device::reference",
            "the CPU is what devices are examined against",
            "coec devices --examine --backend wgpu, or cuda",
        )
    })?;
    let device = at.open()?;
    let mut rows = Vec::new();
    let mut progress = Progress::new(json, "answers");
    progress.show(0, ANSWERS);
    let mut add = |asked: &'static str, answer: String, holds: Option<bool>| {
        rows.push(Row { asked, answer, holds });
        progress.show(rows.len(), ANSWERS);
    };

    match check(&device, &cpu) {
        Ok(found) => add("computes what the CPU does", agreement::sentence(&found), Some(true)),
        Err(error) => add("computes what the CPU does", error.to_string(), Some(false)),
    }
    let speed = |precision| {
        peak(&device, at.backend.gemm_most(), precision)
            .map_err(|error| Failure::environment(error.code(), error.to_string(), error.help()))
    };
    let [exact, rounded] = [speed(Precision::F32)?, speed(Precision::Bf16)?];
    add("GEMM peak", format!("f32 {:.3} TFLOP/s, bf16 {:.3} TFLOP/s", exact / 1e12, rounded / 1e12), None);
    let speed = exact;

    let runs = Runs::new(at)?;
    let first = runs.train(Some(SMALL), "first", &[])?;
    let of_cpu = runs.on_cpu(SMALL, "cpu", &[])?;
    let apart = first.losses.iter().zip(&of_cpu.losses).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max);
    let steps = first.losses.len();
    add("losses of the CPU", format!("{steps} steps, within {apart:.0e}"), Some(apart < 1e-4));

    let again = [runs.train(Some(SMALL), "second", &[])?, runs.train(Some(SMALL), "third", &[])?];
    let is_same = again.iter().all(|run| run.weights == first.weights);
    let says = if is_same { "3 runs with the same bits" } else { "3 runs that differ" };
    add("is deterministic", says.into(), Some(is_same));

    runs.train(Some(SMALL), "resumed", &["train.steps=10"])?;
    let resumed = runs.train(None, "resumed", &["train.steps=20"])?;
    let is_same = resumed.weights == first.weights;
    let says = if is_same { "10 + 10 steps have the bits of 20" } else { "10 + 10 steps are not 20" };
    add("resumes", says.into(), Some(is_same));

    let [short, long] = ["train.steps=50", "train.steps=500"]
        .map(|steps| runs.train(Some(SMALL), &steps.replace("train.steps=", "steps"), &[steps]));
    let (short, long) = (short?.measured("memory"), long?.measured("memory"));
    let growth = long / short - 1.0;
    let says = format!(
        "{:.1} MiB after 500 steps, {growth:+.1}% since 50",
        long / f64::from(1 << 20),
        growth = 100.0 * growth
    );
    add("keeps its memory", says, Some(growth < 0.02));

    let sizes = if speed >= FAST { Sizes::PAPER } else { Sizes::SMALL };
    for precision in [Precision::F32, Precision::Bf16] {
        let [forward, both] = layer::timed(sizes, precision, &device).map_err(|says| {
            Failure::environment("coec::device::failed", says, "lower the load of the device")
        })?;
        let rate = |flops: f64, seconds: f64| flops / seconds / 1e12;
        let says = format!(
            "{} x {} tokens, {} experts: forward {:.3} ms, {:.3} TFLOP/s; with backward {:.3} ms, {:.3} TFLOP/s",
            sizes.selected,
            sizes.tokens,
            sizes.experts,
            forward * 1e3,
            rate(sizes.flops(), forward),
            both * 1e3,
            rate(3.0 * sizes.flops(), both),
        );
        let asked =
            if precision == Precision::F32 { "experts of a layer, f32" } else { "experts of a layer, bf16" };
        add(asked, says, None);
    }

    if speed >= FAST {
        for precision in ["bf16", "f32"] {
            // Without the budget, which other specs are part of.
            let model = PAPER.split("\nbudget {").next().unwrap_or(PAPER);
            let set = format!("train.precision={precision}");
            let step = runs.train(Some(&format!("{model}\n{PAPER_TRAINING}")), precision, &[&set])?;
            let (tokens, mfu) = (step.measured("throughput"), step.measured("mfu"));
            let says = format!("{precision}: {tokens:.0} tokens/s, {:.1}% of the peak", 100.0 * mfu);
            add("a step of CoE-2(4/64), 64 x 512 tokens", says, None);
        }
    } else {
        add("a step of CoE-2(4/64), 64 x 512 tokens", "left out: the device is too slow".into(), None);
    }
    progress.finish();
    show(at, &device, &rows, json);
    Ok(if rows.iter().all(|row| row.holds != Some(false)) { Done::Well } else { Done::BudgetFails })
}

/// The machine, in words: device, driver, versions.
fn machine(at: DeviceArgs, device: &burn::tensor::Device) -> Vec<(&'static str, String)> {
    let driver = std::fs::read_to_string("/proc/driver/nvidia/version").unwrap_or_default();
    vec![
        ("device", format!("{} {}: {}", at.backend.name(), at.number(), crate::backend::name_of(device))),
        ("driver", driver.lines().next().unwrap_or("not told").trim().into()),
        ("coec", env!("CARGO_PKG_VERSION").into()),
        ("burn", "0.22.1".into()),
    ]
}

fn show(at: DeviceArgs, device: &burn::tensor::Device, rows: &[Row], json: bool) {
    let machine = machine(at, device);
    if json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|Row { asked, answer, holds }| json!({ "asked": asked, "answer": answer, "holds": holds }))
            .collect();
        let machine: serde_json::Map<String, Value> =
            machine.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        return print_json(&json!({ "schema": coec_ir::SCHEMA, "machine": machine, "rows": rows }));
    }
    for (name, value) in machine {
        render::line(&format!("{name:<8} {value}"));
    }
    for Row { asked, answer, holds } in rows {
        let verdict = holds.map_or("", |holds| if holds { "yes" } else { "NO" });
        render::line(&format!("{asked:<40} {verdict:<3} {answer}"));
    }
}
