//! What the tests of the command share: a folder to run it in, and a small spec.
#![allow(dead_code)] // each test file uses its part

pub mod editor;
#[cfg(unix)]
pub mod terminal;

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder of its own for each test.
pub struct Shell(TempDir);

impl Shell {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// A command to be run with more than arguments.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coec"));
        command.args(args).current_dir(self.path()).env("COEC_CACHE", self.path().join(".cache"));
        command
    }

    pub fn coec(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command with something on its standard input.
    pub fn piped(&self, args: &[&str], input: &str) -> Output {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that fails early reads nothing.
        match child.stdin.take().unwrap().write_all(input.as_bytes()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => panic!("{error}"),
            _ => {}
        }
        child.wait_with_output().unwrap()
    }

    /// The same, which must succeed; what it printed.
    pub fn piped_ok(&self, args: &[&str], input: &str) -> String {
        let output = self.piped(args, input);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Writes tokens of two sequences for `coec forward`, and trains [`TINY`] for its weights in `run`.
    pub fn prepare_forward(&self) {
        self.write("tiny.coe", TINY);
        self.ok(&["train", "tiny.coe", "--out", "run"]);
        let bytes: Vec<u8> = (0..8i64).flat_map(i64::to_le_bytes).collect();
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::I64, vec![2, 4], &bytes).unwrap();
        self.write("tokens", safetensors::serialize([("tokens", view)], None).unwrap());
    }

    /// The text of a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// Runs a command that must succeed and returns what it printed.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.coec(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(args)).unwrap()
    }

    /// Asserts the exit code and the code of the error, in text and in JSON.
    pub fn fails(&self, args: &[&str], exit: i32, code: &str) -> String {
        let output = self.coec(args);
        let shown = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {shown}");
        assert!(shown.contains(code), "{args:?}: no `{code}` in: {shown}");
        assert!(!shown.contains("panicked"), "{args:?}: {shown}");
        let json = self.coec(&[args, &["--json"]].concat());
        assert_eq!(json.status.code(), Some(exit), "{args:?} --json");
        let document = String::from_utf8_lossy(&json.stdout).into_owned();
        let parsed: Result<Value, _> = serde_json::from_str(&document);
        assert!(parsed.is_ok() && document.contains(code), "{args:?} --json printed: {document}");
        shown
    }
}

/// Two layers of two iterations, which train in a moment.
pub const TINY: &str = "model tiny {
    vocab=256 context=16 dim=16 layers=2 embedding=tokens(tied=true) attention=mha(heads=2)
    ffn=coe(iter=2, k=2, experts=4, shared=1, hidden=8, residual=delta, balance=seq_aux(alpha=0.01))
}
train { steps=4 batch=4 context=16 eval=every(2, batches=2) }
";

/// What a run is, timings apart: the bytes of the newest commit's files, the weights shown, the lines
/// of the logs, how far its tensors moved.
pub fn run_of(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut commits: Vec<_> = fs::read_dir(run.join("commits")).unwrap().map(|e| e.unwrap().path()).collect();
    commits.sort();
    for commit in &commits {
        for file in ["model.safetensors", "optimizer.safetensors", "state.json"] {
            let name = format!("{}/{file}", commit.file_name().unwrap().display());
            files.insert(name, fs::read(commit.join(file)).unwrap());
        }
    }
    for file in ["model.safetensors", "experts.jsonl", "routing.jsonl", "tokenizer.json", "spec.coe"] {
        files.insert(file.into(), fs::read(run.join(file)).unwrap());
    }
    // Of a run that came to its end.
    files.extend(fs::read(run.join("moved.json")).ok().map(|moved| ("moved.json".into(), moved)));
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    for (number, line) in metrics.lines().enumerate() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        for timing in ["tokens_per_s", "mfu", "seconds"] {
            line.as_object_mut().unwrap().remove(timing);
        }
        files.insert(format!("metrics.jsonl:{}", number + 1), line.to_string().into());
    }
    files
}
