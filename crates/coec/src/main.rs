//! The coec command: specs in, models, figures and runs out.

mod arguments;
#[cfg(feature = "train")]
mod backend;
mod cli;
mod commands;
mod crate_folder;
#[cfg(feature = "train")]
mod data;
mod disk;
#[cfg(feature = "train")]
mod experiments;
mod failure;
#[cfg(feature = "train")]
mod judge;
mod manual;
#[cfg(feature = "train")]
mod max_time;
#[cfg(feature = "train")]
mod picture;
#[cfg(feature = "train")]
mod ranks;
mod render;
#[cfg(feature = "train")]
mod run_spec;
#[cfg(feature = "train")]
mod signals;
#[cfg(feature = "train")]
mod story;
mod written;

use std::process::ExitCode;

use clap::Parser;
use failure::Failure;
use render::streams::{self, Lost};

/// Counts bytes, for `measured.memory` on backends that report no pool.
#[cfg(feature = "train")]
#[global_allocator]
static MEMORY: coec_train::memory::CountingAllocator = coec_train::memory::CountingAllocator::new();

fn main() -> ExitCode {
    ExitCode::from(exit_code(run()))
}

/// Runs the command and says why it could not; the exit code, and whether a signal ended it.
fn run() -> (u8, bool) {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        // Help and the version are no errors, and people read clap's own words best.
        Err(said) if said.exit_code() == 0 || !std::env::args().any(|arg| arg == "--json") => {
            render::arguments(&said);
            return (said.exit_code() as u8, false);
        }
        Err(error) => {
            let message = error.to_string();
            let failure = Failure::input("coec::cli::arguments", message.trim(), "see `coec --help`");
            render::failure(&failure, true);
            return (failure.exit_code(), false);
        }
    };
    let json = cli.command.json();
    match commands::run(cli.command) {
        Ok(done) => (done.exit_code(), done.is_interrupted()),
        Err(failure) => {
            render::failure(&failure, json);
            (failure.exit_code(), false)
        }
    }
}

/// The exit code of a command once its output is written, or turns out not to be.
fn exit_code((code, is_interrupted): (u8, bool)) -> u8 {
    let failure = match streams::lost() {
        None => return code,
        // A reader that has read enough is no error, and hides none.
        Some(Lost::Closed) if code > 1 => return code,
        Some(Lost::Closed) => Failure::Closed,
        Some(Lost::Unwritable(why)) => Failure::environment(
            "coec::output::unwritable",
            format!("cannot write all of the output: {why}"),
            "check where the output goes, and the free space there; files named with --out are written",
        ),
    };
    render::failure(&failure, false);
    // Who asked a run to end waits for that code.
    if is_interrupted { code } else { failure.exit_code() }
}
