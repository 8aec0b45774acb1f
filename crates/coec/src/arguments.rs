//! What arguments are short for.

use std::path::Path;

use crate::{
    disk::{self, STDIN},
    failure::Failure,
};

/// Specs as a loader finds them. `-`, or `-#model`, is standard input, which is read here.
pub fn specs(arguments: &[String]) -> Result<Vec<String>, Failure> {
    let mut named = 0;
    let spec = |argument: &String| match argument.strip_prefix('-') {
        Some(model) if model.is_empty() || model.starts_with('#') => {
            named += 1;
            format!("{STDIN}{model}")
        }
        _ => argument.clone(),
    };
    let specs = arguments.iter().map(spec).collect();
    match named {
        0 => {}
        1 => disk::take_input(),
        _ => return Err(twice("save one of the specs as a file, and name that")),
    }
    Ok(specs)
}

/// Standard input that is named twice.
pub fn twice(help: &str) -> Failure {
    Failure::input(
        "coec::cli::standard_input",
        "`-` is named twice, and standard input can be read once",
        help,
    )
}

/// The same for a single spec.
pub fn spec(argument: &str) -> Result<String, Failure> {
    Ok(specs(&[argument.into()])?.concat())
}

/// A path as a spec's; one with `#` in it would be read as `path#model`.
pub fn path_of(path: &Path) -> Result<String, Failure> {
    match path.to_str() {
        Some(path) => Ok(path.to_string()),
        None => Err(Failure::input(
            "coec::cli::path",
            format!("{} is not UTF-8", path.display()),
            "rename the folder",
        )),
    }
}
