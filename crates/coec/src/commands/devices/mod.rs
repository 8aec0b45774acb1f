//! `coec devices`: what is compiled in, found, missing; whether it computes what the CPU does; and where
//! tokens are kept.

mod examine;

use coec_train::device::{self, Agreement, DeviceError};
use serde_json::{Value, json};

use crate::{
    backend::{Availability, Backend},
    cli::{DeviceArgs, DevicesArgs},
    data,
    failure::{Done, Failure},
    render::{self, agreement, json::print_json},
};

pub fn run(args: &DevicesArgs) -> Result<Done, Failure> {
    if let Some(backend) = args.backend {
        let at = DeviceArgs { backend, device: Some(args.device) };
        return at.guard(|| examine::run(at, args.json.json));
    }
    let all = Backend::ALL.map(Backend::availability);
    let checks: Vec<Check> = if args.check { all.iter().flat_map(checks).collect() } else { vec![] };
    if args.json.json {
        print_json(&document(&all, args.check.then_some(&checks))?);
    } else {
        for a in &all {
            let found = if a.devices.is_empty() { "not available".into() } else { a.devices.join(", ") };
            render::line(&format!("{:<8} {found}: {}", a.backend.name(), a.says));
        }
        data::show_cache()?;
        if args.check && checks.is_empty() {
            render::line("check    there is no GPU to check");
        }
        for Check { backend, number, outcome } in &checks {
            if let Ok(agreement) = outcome {
                render::line(&format!(
                    "check    {} {number}: {}",
                    backend.name(),
                    agreement::sentence(agreement)
                ));
            }
        }
    }
    let failed = checks.into_iter().find_map(|Check { backend, number, outcome }| {
        let says = |error: &DeviceError| format!("{} {number}: {error}", backend.name());
        outcome.err().map(|error| Failure::environment(error.code(), says(&error), error.help()))
    });
    failed.map_or(Ok(Done::Well), Err)
}

/// A device that was checked.
struct Check {
    backend: Backend,
    number: usize,
    outcome: Result<Agreement, DeviceError>,
}

fn checks(of: &Availability) -> Vec<Check> {
    let backend = of.backend;
    let Some(cpu) = backend.reference() else { return vec![] };
    let outcome = |number| {
        let opened = backend.device(number).map_err(|failure| DeviceError::Failed(failure.one_line()));
        opened.and_then(|device| device::check(&device, &cpu))
    };
    (0..of.devices.len()).map(|number| Check { backend, number, outcome: outcome(number) }).collect()
}

fn document(all: &[Availability], checks: Option<&Vec<Check>>) -> Result<Value, Failure> {
    let backends: Vec<_> = all
        .iter()
        .map(|a| {
            json!({
                "backend": a.backend.name(), "devices": a.devices, "threads": a.threads, "says": a.says,
            })
        })
        .collect();
    let mut document =
        json!({ "schema": coec_ir::SCHEMA, "backends": backends, "cache": data::cache_document()? });
    if let Some(checks) = checks {
        document["checks"] = checks.iter().map(of_check).collect();
    }
    Ok(document)
}

fn of_check(check: &Check) -> Value {
    let (backend, number) = (check.backend.name(), check.number);
    match &check.outcome {
        Ok(Agreement { operations, outputs, gradients, distrusted, took }) => json!({
            "backend": backend, "device": number, "agrees": true, "operations": operations,
            "outputs": outputs, "gradients": gradients,
            "distrusted": distrusted.as_ref().map(ToString::to_string), "seconds": took.as_secs_f64(),
        }),
        Err(error) => json!({
            "backend": backend, "device": number, "agrees": false, "code": error.code(),
            "says": error.to_string(),
        }),
    }
}
