//! `coec graph`: the model as a picture.

use std::path::Path;

use coec_lang::load_one;
use serde_json::json;

use crate::{
    arguments,
    cli::{GraphArgs, GraphFormat},
    disk::Disk,
    failure::{Done, Failure},
    render::{self, json::print_json},
    written::written,
};

pub fn run(args: &GraphArgs) -> Result<Done, Failure> {
    let spec = load_one(&arguments::spec(&args.spec)?, &args.set.sets, &Disk)?;
    let format = args.format.unwrap_or_else(|| format_of(args.out.as_deref()));
    let picture = match format {
        GraphFormat::Mermaid => coec_graph::mermaid(&spec.model),
        GraphFormat::Svg => coec_graph::svg(&spec.model),
    };
    // Only of a file there is something to tell; the output may be where the picture went.
    let is_file = match &args.out {
        Some(path) => written(path, &picture, "coec::graph::unwritable")?,
        None => false,
    };
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
        (Some(path), false) if is_file => render::line(&format!("wrote {}", path.display())),
        (Some(_), false) => {}
        (None, false) => render::text(&picture),
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
