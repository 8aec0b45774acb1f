//! One file per command.

mod build;
mod check;
mod completions;
mod cost;
mod crate_folder;
mod devices;
mod diff;
mod eval;
mod explain;
mod export;
mod fmt;
mod forward;
mod generate;
mod graph;
mod import;
mod new;
mod progress;
mod train;

use coec_ir::{
    Figure,
    cost::{Cost, Setting},
};
use coec_lang::{Diagnostic, Spec};
use num_bigint::BigUint;
use serde::Serialize;

use crate::{
    cli::Command,
    failure::{Done, Failure},
};

/// Runs a command.
pub fn run(command: Command) -> Result<Done, Failure> {
    match command {
        Command::Check(args) => check::run(&args),
        Command::Build(args) => build::run(&args),
        Command::Cost(args) => cost::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Forward(args) => forward::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Devices(args) => devices::run(&args),
        Command::New(args) => new::run(&args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Graph(args) => graph::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// A figure in JSON: an exact integer, or a string where integers may be of any size.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum FigureValue {
    Integer(u128),
    Text(String),
}

impl FigureValue {
    pub fn new(figure: Figure, value: BigUint) -> Self {
        match (figure, u128::try_from(&value)) {
            (Figure::ExpertsPaths, _) | (_, Err(_)) => Self::Text(value.to_string()),
            (_, Ok(value)) => Self::Integer(value),
        }
    }
}

/// Every static figure by name, in the order of the language reference.
pub struct Figures<'a>(pub &'a Cost);

impl Serialize for Figures<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known =
            Figure::ALL.into_iter().filter_map(|f| Some((f.name(), FigureValue::new(f, self.0.figure(f)?))));
        serializer.collect_map(known)
    }
}

/// The setting a model's figures are shown in when nobody says otherwise.
pub fn default_setting(spec: &Spec) -> Setting {
    Setting::of(&spec.model, &Default::default())
}

/// Diagnostics as JSON.
pub fn json_of<'a>(diagnostics: impl IntoIterator<Item = &'a Diagnostic>) -> Vec<coec_lang::DiagnosticJson> {
    diagnostics.into_iter().map(Diagnostic::to_json).collect()
}

/// Prints a JSON document.
pub fn print_json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => crate::render::line(&text),
        Err(error) => crate::render::error_line(&format!("this document cannot be written as JSON: {error}")),
    }
}
