//! Trains a model step by step on command, for tests/bench/against_torch.
//!
//! `stepper SPEC [--set KEY=VALUE]... [--weights FILE]` says in a line of JSON what it has, and then answers
//! each line of its input by one. Between two lines it waits, and uses no processor. Threads are those of
//! RAYON_NUM_THREADS; memory is counted as `coec train` counts it, by the same allocator.
//!
//! | line | does | answers |
//! |---|---|---|
//! | `save FILE` | writes the weights it begins with, and the batch that every step is of, as safetensors | `saved` |
//! | `start` | begins with fresh weights, or those of FILE, and a fresh optimizer | `started` |
//! | `step N` | N optimizer steps | `seconds`, `losses` and `norms` of each, `peak_bytes` of the worst since `start` |
//! | `peak` | measures the matrix product that utilisation is a share of | `flops_per_second` |
//! | `generate N P` | continues P tokens of the batch by the N likeliest, with a cache | `tokens`, `seconds` of each; the first has read the prompt |

mod generation;
mod steps;

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use coec_lang::{Loader, load_one};
use coec_train::memory::CountingAllocator;
use serde_json::{Value, json};
use steps::Steps;

#[global_allocator]
static MEMORY: CountingAllocator = CountingAllocator::new();

/// Reads specs.
struct Disk;

impl Loader for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }
}

/// What the program was called with.
struct Arguments {
    spec: String,
    sets: Vec<String>,
    weights: Option<PathBuf>,
}

fn arguments() -> Option<Arguments> {
    let mut words = std::env::args().skip(1);
    let mut arguments = Arguments { spec: words.next()?, sets: Vec::new(), weights: None };
    while let Some(option) = words.next() {
        match option.as_str() {
            "--set" => arguments.sets.push(words.next()?),
            "--weights" => arguments.weights = Some(words.next()?.into()),
            _ => return None,
        }
    }
    Some(arguments)
}

/// The answer to a line.
fn answer(steps: &mut Steps, line: &str) -> Result<Value, Box<dyn Error>> {
    match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["save", path] => {
            steps.save(Path::new(path))?;
            Ok(json!({ "saved": path }))
        }
        ["start"] => {
            steps.start()?;
            Ok(json!({ "started": true }))
        }
        ["step", count] => steps.step(count.parse()?),
        ["peak"] => Ok(json!({ "flops_per_second": steps.peak() })),
        ["generate", count, prompt] => {
            let model = steps.model()?;
            generation::generate(&model, steps.prompt(prompt.parse()?), count.parse()?)
        }
        _ => Err(format!("no command: {line}").into()),
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let usage = "usage: stepper SPEC [--set KEY=VALUE]... [--weights FILE]";
    let Arguments { spec, sets, weights } = arguments().ok_or(usage)?;
    let spec = load_one(&spec, &sets, &Disk)?;
    let mut steps = Steps::new(&spec.model, spec.train_or_default()?, weights);
    let say = |value: &Value| {
        let mut out = io::stdout().lock();
        writeln!(out, "{value}").and_then(|()| out.flush())
    };
    say(&steps.about())?;
    for line in io::stdin().lock().lines() {
        say(&answer(&mut steps, &line?)?)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    // As `coec train` does.
    coec_train::memory::keep_freed();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stepper: {error}");
            ExitCode::FAILURE
        }
    }
}
