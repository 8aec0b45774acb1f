//! Event files for TensorBoard.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use coec_store::{atomic::AtomicFolder, folder::FolderError};
use coec_train::{
    run_dir::{RunDir, RunFile},
    tensorboard,
};
use serde_json::json;

use super::{Done, ExportArgs, Failure, print_json, render};

/// Writes one of the logs of a run. Its last step ended when the metrics were last written to.
pub fn export(args: &ExportArgs) -> Result<Done, Failure> {
    let run = RunDir::read_only(&args.run)?;
    let metrics = run.read_metrics()?;
    let experts = tensorboard::none_if_missing(run.read_experts())?;
    let written = fs::metadata(run.file(RunFile::Metrics)).and_then(|about| about.modified());
    let end = written.unwrap_or_else(|_| SystemTime::now());
    let end = end.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let mut events = Vec::new();
    let name = tensorboard::file_name(end as u64);
    let unwritable = |source| FolderError::Unwritable { path: args.out.clone(), source };
    tensorboard::write(&mut events, &metrics, &experts, end).map_err(unwritable)?;
    let folder = AtomicFolder::create(&args.out).map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => FolderError::Exists { path: args.out.clone() },
        _ => unwritable(source),
    })?;
    fs::write(folder.scratch().join(&name), &events).map_err(unwritable)?;
    folder.commit().map_err(unwritable)?;
    let steps = metrics.len();
    match args.json.json {
        true => print_json(&json!({
            "schema": coec_ir::SCHEMA, "written": args.out, "file": name, "steps": steps,
        })),
        false => render::line(&format!("wrote {}: {steps} steps", args.out.join(&name).display())),
    }
    Ok(Done::Well)
}
