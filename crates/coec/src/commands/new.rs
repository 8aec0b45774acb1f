//! `coec new`: a commented spec to start from.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

use serde_json::json;

use crate::{
    cli::NewArgs,
    failure::{Done, Failure},
    render::{self, json::print_json},
};

const TEMPLATE: &str = include_str!("../../templates/new.coe");

pub fn run(args: &NewArgs) -> Result<Done, Failure> {
    let name = args.name.strip_suffix(".coe").unwrap_or(&args.name);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || !name.chars().all(is_word) {
        return Err(Failure::input(
            "coec::new::name",
            format!("`{name}` is no name of a model"),
            "a name is letters, digits and underscores, and does not begin with a digit",
        ));
    }
    let path = format!("{name}.coe");
    let text = TEMPLATE.replace("NAME", name);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::input(
            "coec::new::exists",
            format!("{path} exists"),
            "choose another name; nothing was changed",
        ),
        _ => Failure::environment(
            "coec::new::unwritable",
            format!("cannot write {path}: {error}"),
            "check the folder",
        ),
    })?;
    if args.json.json {
        print_json(&json!({ "schema": coec_ir::SCHEMA, "written": path }));
    } else {
        render::line(&format!("wrote {path}; next: coec check {path}, coec cost {path}, coec train {path}"));
    }
    Ok(Done::Well)
}
