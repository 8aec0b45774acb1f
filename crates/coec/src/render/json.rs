//! Documents for programs.

use coec_lang::Diagnostic;
use serde::Serialize;

use super::streams::{error_line, line};

/// Diagnostics as JSON.
pub fn json_of<'a>(diagnostics: impl IntoIterator<Item = &'a Diagnostic>) -> Vec<coec_lang::DiagnosticJson> {
    diagnostics.into_iter().map(Diagnostic::to_json).collect()
}

/// Prints a JSON document.
pub fn print_json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => line(&text),
        Err(error) => error_line(&format!("this document cannot be written as JSON: {error}")),
    }
}
