//! `coec report`: runs, or a comparison, as one page.

mod arms;
mod compare;
mod found;
mod read;

use std::io::{self, Write};
use std::path::Path;

use coec_ir::counted;
use coec_report::values::Report;
use coec_store::output::Output;
use serde_json::json;

use crate::{
    cli::ReportArgs,
    failure::{Done, Failure, is_closed_pipe},
    render::{self, json::print_json, number},
};

pub fn run(args: &ReportArgs) -> Result<Done, Failure> {
    let found = arms::all(&args.runs)?;
    let report = Report { version: env!("CARGO_PKG_VERSION").into(), arms: found.arms, pairs: found.pairs };
    let page = coec_report::page(&report);
    let is_file = write(&args.out, &page).map_err(|error| unwritable(&args.out, &error))?;
    let runs: usize = report.arms.iter().map(|arm| arm.runs.len()).sum();
    if args.json.json {
        print_json(&json!({
            "schema": coec_ir::SCHEMA, "written": args.out, "bytes": page.len(), "runs": runs,
            "specs": report.arms.len(), "notes": found.notes,
        }));
    } else if is_file {
        found.notes.iter().for_each(|note| render::line(&format!("note: {note}")));
        render::line(&format!(
            "wrote {}: {} of {}, {}",
            args.out.display(),
            counted(runs, "run"),
            counted(report.arms.len(), "spec"),
            number::short(page.len() as f64, coec_ir::Unit::Bytes)
        ));
    }
    Ok(Done::Well)
}

/// Writes the page where `path` leads to; whether that is a file.
fn write(path: &Path, page: &str) -> io::Result<bool> {
    let mut output = Output::create(path)?;
    let is_file = output.is_file();
    output.write_all(page.as_bytes())?;
    output.commit()?;
    Ok(is_file)
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    if is_closed_pipe(error) {
        return Failure::Closed;
    }
    let message = format!("cannot write {}: {error}", path.display());
    Failure::environment("coec::report::unwritable", message, "check the folder and its permissions")
}
