//! The command on a GPU, or on a Vulkan device in software: the first that wgpu finds.
#![cfg(feature = "wgpu")]

mod common;

use std::path::Path;

use common::{Shell, TINY, run_of};
use serde_json::Value;

/// The losses of a run's steps.
fn losses(shell: &Shell, run: &str) -> Vec<f64> {
    let lines = shell.read(&format!("{run}/metrics.jsonl"));
    lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["loss"].as_f64().unwrap()).collect()
}

const WGPU: [&str; 2] = ["--backend", "wgpu"];

#[test]
fn fifty_steps_have_the_losses_of_the_cpu() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    let train = ["train", "tiny.coe", "--set", "train.steps=50", "--set", "train.eval=every(50, batches=2)"];
    shell.ok(&[&train[..], &["--out", "cpu"]].concat());
    let shown = shell.ok(&[&train[..], &WGPU, &["--out", "gpu"]].concat());
    assert!(shown.contains("operations agree with the CPU"), "{shown}");
    let (cpu, gpu) = (losses(&shell, "cpu"), losses(&shell, "gpu"));
    assert_eq!(cpu.len(), 50);
    for (step, (cpu, gpu)) in cpu.iter().zip(&gpu).enumerate() {
        assert!((gpu / cpu - 1.0).abs() < 1e-4, "step {}: {cpu} and {gpu}", step + 1);
    }
}

#[test]
fn ten_steps_in_bf16_have_the_losses_of_the_cpu() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    let train = ["train", "tiny.coe", "--set", "train.steps=10", "--set", "train.precision=bf16"];
    shell.ok(&[&train[..], &["--out", "cpu"]].concat());
    shell.ok(&[&train[..], &WGPU, &["--out", "gpu"]].concat());
    for (step, (cpu, gpu)) in losses(&shell, "cpu").iter().zip(losses(&shell, "gpu")).enumerate() {
        assert!((gpu / cpu - 1.0).abs() < 1e-3, "step {}: {cpu} and {gpu}", step + 1);
    }
}

/// A schedule that does not ask how long the run is.
const CONSTANT: &str = "train.schedule=constant(warmup=0)";

/// Kernels add nothing atomically: what was interrupted goes on as if it had not been.
#[test]
fn a_resumed_run_is_the_uninterrupted_one() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    let train = |out: &str, steps: &str| {
        shell
            .ok(&[&["train", "tiny.coe", "--out", out, "--set", steps, "--set", CONSTANT], &WGPU[..]]
                .concat());
    };
    train("whole", "train.steps=8");
    train("parts", "train.steps=5");
    shell.ok(&[&["train", "--resume", "parts", "--set", "train.steps=8"], &WGPU[..]].concat());
    let of = |run: &str| {
        let mut files = run_of(&shell.path().join(Path::new(run)));
        // The spec of the first part said so.
        files.retain(|name, _| name.ends_with("model.safetensors"));
        files.into_iter().next_back().unwrap().1
    };
    assert!(of("whole") == of("parts"), "the weights differ");
    assert_eq!(losses(&shell, "whole"), losses(&shell, "parts"));
}

#[test]
fn the_likeliest_text_is_that_of_the_cpu() {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    shell.ok(&["train", "tiny.coe", "--out", "run"]);
    let generate = ["generate", "run", "--prompt", "Ana", "--temperature", "0", "--tokens", "12"];
    assert_eq!(shell.ok(&[&generate[..], &WGPU].concat()), shell.ok(&generate));
}

#[test]
fn a_pass_has_the_logits_of_the_cpu() {
    let shell = Shell::new();
    shell.prepare_forward();
    let forward =
        ["forward", "tiny.coe", "--weights", "run/model.safetensors", "--tokens", "tokens", "--out"];
    shell.ok(&[&forward[..], &["cpu"]].concat());
    shell.ok(&[&forward[..], &["gpu"], &WGPU[..]].concat());
    let logits = |file: &str| {
        let bytes = std::fs::read(shell.path().join(file)).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let logits = tensors.tensor("logits").unwrap().data().to_vec();
        logits.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect::<Vec<_>>()
    };
    let (cpu, gpu) = (logits("cpu"), logits("gpu"));
    let most = cpu.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    assert!(cpu.iter().zip(&gpu).all(|(a, b)| (a - b).abs() < 1e-4 * most));
}

#[test]
fn devices_are_found_and_checked() {
    let shell = Shell::new();
    let document = shell.json(&["devices", "--check", "--json"]);
    let check = &document["checks"][0];
    assert_eq!((&check["backend"], &check["agrees"]), (&"wgpu".into(), &true.into()), "{document}");
    shell.write("tiny.coe", TINY);
    let shown = shell.fails(
        &["train", "tiny.coe", "--backend", "wgpu", "--device", "7"],
        3,
        "coec::device::unavailable",
    );
    assert!(shown.contains("number 7"), "{shown}");
}
