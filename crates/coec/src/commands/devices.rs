//! `coec devices`: what is compiled in, found, missing; and where tokens are kept.

use serde_json::json;

use crate::{
    backend::Backend,
    cli::JsonArgs,
    data,
    failure::{Done, Failure},
    render::{self, json::print_json},
};

pub fn run(args: &JsonArgs) -> Result<Done, Failure> {
    let all = Backend::ALL.map(Backend::availability);
    if args.json {
        let backends: Vec<_> = all
            .iter()
            .map(|a| {
                json!({
                    "backend": a.backend.name(), "devices": a.devices, "threads": a.threads, "says": a.says,
                })
            })
            .collect();
        print_json(
            &json!({ "schema": coec_ir::SCHEMA, "backends": backends, "cache": data::cache_document()? }),
        );
        return Ok(Done::Well);
    }
    for a in &all {
        let found = if a.devices.is_empty() { "not available".into() } else { a.devices.join(", ") };
        render::line(&format!("{:<8} {found}: {}", a.backend.name(), a.says));
    }
    data::show_cache()?;
    Ok(Done::Well)
}
