//! The coec command: specs in, models, figures and runs out.

mod backend;
mod cli;
mod commands;
mod disk;
mod failure;
mod render;
mod signals;

use std::process::ExitCode;

use clap::Parser;
use coec_train::peak::CountingAllocator;

/// Counts bytes, for `measured.memory` on backends that report no pool.
#[global_allocator]
static MEMORY: CountingAllocator = CountingAllocator::new();

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.command.json();
    match commands::run(cli.command) {
        Ok(done) => ExitCode::from(done.exit_code()),
        Err(failure) => {
            render::failure(&failure, json);
            ExitCode::from(failure.exit_code())
        }
    }
}
