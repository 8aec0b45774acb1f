//! The coec command: specs in, models, figures and runs out.

mod arguments;
#[cfg(feature = "train")]
mod backend;
mod cli;
mod commands;
mod crate_folder;
mod disk;
mod failure;
#[cfg(feature = "train")]
mod judge;
mod manual;
#[cfg(feature = "train")]
mod max_time;
mod render;
#[cfg(feature = "train")]
mod signals;

use std::process::ExitCode;

use clap::Parser;
use failure::Failure;

/// Counts bytes, for `measured.memory` on backends that report no pool.
#[cfg(feature = "train")]
#[global_allocator]
static MEMORY: coec_train::memory::CountingAllocator = coec_train::memory::CountingAllocator::new();

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        // Help and the version are no errors, and people read clap's own words best.
        Err(error) if error.exit_code() == 0 || !std::env::args().any(|arg| arg == "--json") => error.exit(),
        Err(error) => {
            let message = error.to_string();
            let failure = Failure::input("coec::cli::arguments", message.trim(), "see `coec --help`");
            render::failure(&failure, true);
            return ExitCode::from(failure.exit_code());
        }
    };
    let json = cli.command.json();
    match commands::run(cli.command) {
        Ok(done) => ExitCode::from(done.exit_code()),
        Err(failure) => {
            render::failure(&failure, json);
            ExitCode::from(failure.exit_code())
        }
    }
}
