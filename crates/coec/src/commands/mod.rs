//! One file per command.

mod build;
mod check;
#[cfg(feature = "train")]
mod compare;
mod completions;
mod cost;
#[cfg(feature = "train")]
mod devices;
mod diff;
#[cfg(feature = "train")]
mod eval;
mod explain;
mod export;
mod fit;
mod fmt;
#[cfg(feature = "train")]
mod forward;
#[cfg(feature = "train")]
mod generate;
mod graph;
mod import;
mod lsp;
mod new;
#[cfg(feature = "train")]
mod report;
#[cfg(feature = "train")]
mod sweep;
#[cfg(feature = "train")]
mod train;
#[cfg(feature = "train")]
mod watch;

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
        #[cfg(feature = "train")]
        Command::Train(args) => args.at.guard(|| train::run(&args)),
        #[cfg(feature = "train")]
        Command::Compare(args) => compare::run(&args),
        #[cfg(feature = "train")]
        Command::Sweep(args) => sweep::run(&args),
        #[cfg(feature = "train")]
        Command::Report(args) => report::run(&args),
        #[cfg(feature = "train")]
        Command::Watch(args) => watch::run(&args),
        #[cfg(feature = "train")]
        Command::Eval(args) => args.at.guard(|| eval::run(&args)),
        #[cfg(feature = "train")]
        Command::Generate(args) => args.at.guard(|| generate::run(&args)),
        #[cfg(feature = "train")]
        Command::Forward(args) => args.at.guard(|| forward::run(&args)),
        Command::Import(args) => import::run(&args),
        Command::Export(args) => export::run(&args),
        #[cfg(feature = "train")]
        Command::Devices(args) => devices::run(&args),
        Command::New(args) => new::run(&args),
        Command::Fit(args) => fit::run(&args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Graph(args) => graph::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Lsp(_) => lsp::run(),
        Command::Completions(args) => completions::run(&args),
        #[cfg(not(feature = "train"))]
        Command::Train(_)
        | Command::Compare(_)
        | Command::Sweep(_)
        | Command::Report(_)
        | Command::Watch(_)
        | Command::Eval(_)
        | Command::Generate(_)
        | Command::Forward(_)
        | Command::Devices(_) => Err(crate::failure::compiler_alone()),
    }
}
