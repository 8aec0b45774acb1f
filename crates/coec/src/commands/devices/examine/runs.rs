//! Trainings for the examination, each a `coec train` of its own, in a folder that goes when it is done.

use std::fs;
use std::process::{Command, Stdio};

use coec_train::run_dir::{RunDir, RunFile};
use serde_json::Value;
use tempfile::TempDir;

use crate::{cli::DeviceArgs, failure::Failure};

/// The folder of the trainings of one device.
pub struct Runs {
    folder: TempDir,
    at: DeviceArgs,
}

/// What a training came to.
pub struct Run {
    /// The document of `coec train --json`.
    document: Value,
    /// Of each step.
    pub losses: Vec<f64>,
    /// The bytes of the weights.
    pub weights: Vec<u8>,
}

impl Runs {
    pub fn new(at: DeviceArgs) -> Result<Self, Failure> {
        let folder = TempDir::new().map_err(|error| failed("a folder", &error.to_string()))?;
        Ok(Self { folder, at })
    }

    /// Trains a spec, or goes on with `out` where there is no spec.
    pub fn train(&self, spec: Option<&str>, out: &str, sets: &[&str]) -> Result<Run, Failure> {
        let told = |error: std::io::Error| failed(out, &error.to_string());
        let dir = self.folder.path().join(out);
        let mut command = Command::new(std::env::current_exe().map_err(told)?);
        command.arg("train").current_dir(self.folder.path()).stdin(Stdio::null());
        match spec {
            Some(text) => {
                fs::write(self.folder.path().join("examined.coe"), text).map_err(told)?;
                command.args(["examined.coe", "--out", out]);
            }
            None => _ = command.args(["--resume", out]),
        }
        command.args([
            "--json",
            "--backend",
            self.at.backend.name(),
            "--device",
            &self.at.number().to_string(),
        ]);
        command.args(sets.iter().flat_map(|set| ["--set", set]));
        let output = command.output().map_err(told)?;
        // A budget of speed may fail; the training is done.
        let document: Value = serde_json::from_slice(&output.stdout)
            .map_err(|_| failed(out, &String::from_utf8_lossy(&output.stderr)))?;
        if document["summary"].is_null() {
            return Err(failed(out, &String::from_utf8_lossy(&output.stdout)));
        }
        let run = RunDir::read_only(&dir)?;
        let losses = run.read_metrics()?.iter().map(|line| line.loss).collect();
        Ok(Run { document, losses, weights: fs::read(run.file(RunFile::Model)).map_err(told)? })
    }

    /// The same on the CPU.
    pub fn on_cpu(&self, spec: &str, out: &str, sets: &[&str]) -> Result<Run, Failure> {
        let at = DeviceArgs { backend: crate::backend::Backend::Cpu, device: Some(0) };
        Self::new(at)?.train(Some(spec), out, sets)
    }
}

impl Run {
    /// A measured figure of the report card.
    pub fn measured(&self, figure: &str) -> f64 {
        self.document["summary"]["card"]["measured"][figure].as_f64().unwrap_or(f64::NAN)
    }
}

fn failed(what: &str, says: &str) -> Failure {
    Failure::environment(
        "coec::device::examination",
        format!("the examination's training `{what}` could not be done: {}", says.trim()),
        "`coec devices --check` says whether the device computes what the CPU does",
    )
}
