//! What people see. The only place that prints errors.

#[cfg(feature = "train")]
pub mod agreement;
#[cfg(feature = "train")]
pub mod below;
#[cfg(feature = "train")]
pub mod card;
pub mod figure;
#[cfg(feature = "train")]
pub mod full_screen;
pub mod json;
#[cfg(feature = "train")]
mod keys;
pub mod number;
pub mod progress;
pub mod prose;
#[cfg(feature = "train")]
pub mod reading;
#[cfg(feature = "train")]
pub mod steps;
pub mod streams;
pub mod table;
pub mod terminal;
#[cfg(feature = "train")]
pub mod time;
pub mod verdicts;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use coec_lang::{Diagnostic, Diagnostics};
use miette::{GraphicalReportHandler, GraphicalTheme};
use serde_json::json;

use self::json::print_json;
use self::terminal::Stream;
use crate::failure::Failure;

pub use streams::{error_line, line, text};

/// Prints a failure: as JSON on the output, or for people on the error stream.
pub fn failure(failure: &Failure, json: bool) {
    match failure {
        Failure::Shown | Failure::Closed => {}
        Failure::Spec(errors) if json => {
            let errors: Vec<_> = errors.iter().map(Diagnostic::to_json).collect();
            print_json(&json!({ "schema": coec_ir::SCHEMA, "errors": errors }));
        }
        Failure::Spec(errors) => diagnostics(errors),
        _ if json => {
            print_json(&json!({ "schema": coec_ir::SCHEMA, "errors": others(failure) }));
        }
        Failure::Several(failures) => failures.iter().for_each(|one| self::failure(one, false)),
        Failure::Other { code, message, help, .. } => {
            let report = miette::MietteDiagnostic::new(message).with_code(code).with_help(help);
            print(&report);
        }
    }
}

/// What has no place in a spec, as JSON.
fn others(failure: &Failure) -> Vec<serde_json::Value> {
    match failure {
        Failure::Several(failures) => failures.iter().flat_map(others).collect(),
        Failure::Other { code, message, help, .. } => {
            vec![json!({ "code": code, "severity": "error", "message": message, "help": help })]
        }
        Failure::Shown | Failure::Closed | Failure::Spec(_) => Vec::new(),
    }
}

/// Prints what is damaged in a run that can be read all the same.
#[cfg(feature = "train")]
pub fn damage(damage: &coec_train::run_dir::Damage) {
    error_line(&format!("{} is damaged: {}; passed over", damage.file.display(), damage.reason));
}

/// Prints every diagnostic of a spec.
pub fn diagnostics(errors: &Diagnostics) {
    for error in errors {
        diagnostic(error);
    }
    if errors.omitted() > 0 {
        error_line(&format!("and {} more", errors.omitted()));
    }
}

/// Diagnostics printed so far.
static PRINTED: AtomicUsize = AtomicUsize::new(0);

/// How many more diagnostics a command prints: nobody reads thousands, and drawing takes time.
pub fn remaining() -> usize {
    Diagnostics::MOST.saturating_sub(PRINTED.load(Relaxed))
}

/// Prints one diagnostic.
pub fn diagnostic(diagnostic: &Diagnostic) {
    PRINTED.fetch_add(1, Relaxed);
    print(diagnostic);
}

fn print(diagnostic: &dyn miette::Diagnostic) {
    let theme = match () {
        () if terminal::is_dumb() => GraphicalTheme::none(),
        () if Stream::Errors.has_colour() => GraphicalTheme::unicode(),
        () => GraphicalTheme::unicode_nocolor(),
    };
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(theme).with_width(Stream::Errors.width());
    if handler.with_links(false).render_report(&mut text, diagnostic).is_ok() {
        error_line(text.trim_end());
    }
}

/// Prints what the argument parser says: help and the version as results, mistakes beside them.
pub fn arguments(said: &clap::Error) {
    let stream = if said.use_stderr() { Stream::Errors } else { Stream::Output };
    let said = said.render();
    let said = if stream.has_colour() { said.ansi().to_string() } else { said.to_string() };
    match stream {
        Stream::Output => text(&said),
        Stream::Errors => error_line(said.trim_end()),
    }
}
