//! What people see. The only place that prints errors.

#[cfg(feature = "train")]
pub mod card;
pub mod figure;
pub mod json;
pub mod number;
pub mod progress;
pub mod prose;
pub mod table;
pub mod verdicts;

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use coec_lang::{Diagnostic, Diagnostics};
use miette::{GraphicalReportHandler, GraphicalTheme};
use serde_json::json;

use self::json::print_json;
use crate::failure::Failure;

/// Prints a line of a command's result. A closed pipe ends the output, not the program.
pub fn line(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Prints a failure: as JSON on the output, or for people on the error stream.
pub fn failure(failure: &Failure, json: bool) {
    match failure {
        Failure::Shown => {}
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
        Failure::Shown | Failure::Spec(_) => Vec::new(),
    }
}

/// Prints what is damaged in a run that can be read all the same.
#[cfg(feature = "train")]
pub fn damage(damage: &coec_train::run_dir::Damage) {
    error_line(&format!("{} is damaged: {}; passed over", damage.file.display(), damage.reason));
}

/// Prints a line beside a command's result. A closed error stream ends nothing.
pub fn error_line(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
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
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
    if handler.render_report(&mut text, diagnostic).is_ok() {
        let _ = writeln!(io::stderr(), "{}", text.trim_end());
    }
}
