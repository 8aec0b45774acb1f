//! `coec completions`: what a shell needs to complete commands and options.

use clap::CommandFactory;

use crate::{
    cli::{Cli, CompletionsArgs},
    failure::{Done, Failure},
    render,
};

pub fn run(args: &CompletionsArgs) -> Result<Done, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "coec", &mut script);
    render::text(&String::from_utf8_lossy(&script));
    Ok(Done::Well)
}
