//! `coec completions`: what a shell needs to complete commands and options.

use std::io::{self, Write};

use clap::CommandFactory;

use crate::{
    cli::{Cli, CompletionsArgs},
    failure::{Done, Failure},
};

pub fn run(args: &CompletionsArgs) -> Result<Done, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "coec", &mut script);
    // A closed pipe ends the output, not the program.
    let _ = io::stdout().write_all(&script);
    Ok(Done::Well)
}
