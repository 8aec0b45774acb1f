//! `coec graph`: the model as a picture.

use std::io::{self, Write};
use std::path::Path;

use coec_lang::load_one;
use coec_store::atomic;
use serde_json::json;

use crate::{
    cli::{GraphArgs, GraphFormat},
    disk::Disk,
    failure::{Done, Failure},
    render::{self, json::print_json},
};

pub fn run(args: &GraphArgs) -> Result<Done, Failure> {
    let spec = load_one(&args.spec, &args.set.sets, &Disk)?;
    let format = args.format.unwrap_or_else(|| format_of(args.out.as_deref()));
    let picture = match format {
        GraphFormat::Mermaid => coec_graph::mermaid(&spec.model),
        GraphFormat::Svg => coec_graph::svg(&spec.model),
    };
    if let Some(path) = &args.out {
        write(path, &picture)?;
    }
    let name = &spec.model.name;
    match (&args.out, args.json.json) {
        (out, true) => {
            let format = match format {
                GraphFormat::Mermaid => "mermaid",
                GraphFormat::Svg => "svg",
            };
            let text = out.is_none().then_some(&picture);
            print_json(&json!({
                "schema": coec_ir::SCHEMA, "model": name, "format": format, "written": out, "text": text,
            }));
        }
        (Some(path), false) => render::line(&format!("wrote {}", path.display())),
        (None, false) => {
            // A closed pipe ends the output, not the program.
            let _ = io::stdout().write_all(picture.as_bytes());
        }
    }
    Ok(Done::Well)
}

/// SVG for a file that says so by its ending, else what can be read in a terminal.
fn format_of(out: Option<&Path>) -> GraphFormat {
    let ending = out.and_then(Path::extension);
    if ending.is_some_and(|ending| ending.eq_ignore_ascii_case("svg")) {
        GraphFormat::Svg
    } else {
        GraphFormat::Mermaid
    }
}

fn write(path: &Path, picture: &str) -> Result<(), Failure> {
    atomic::write(path, picture.as_bytes()).map_err(|error| {
        let message = format!("cannot write {}: {error}", path.display());
        Failure::environment("coec::graph::unwritable", message, "check the folder and its permissions")
    })
}
