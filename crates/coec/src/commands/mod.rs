//! One file per command.

mod build;
mod check;
mod completions;
mod cost;
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
mod train;

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
