//! `coec check`: everything short of building.

use coec_lang::{check, load};
use serde_json::json;

use crate::{
    arguments,
    cli::CheckArgs,
    disk::Disk,
    failure::{Done, Failure},
    render::{
        self,
        json::{json_of, print_json},
        verdicts,
    },
};

pub fn run(args: &CheckArgs) -> Result<Done, Failure> {
    let mut done = Done::Well;
    let mut documents = Vec::new();
    let mut failed = false;
    for (path, named) in arguments::specs(&args.spec.specs)?.iter().zip(&args.spec.specs) {
        // A wrong spec does not keep the others from being checked.
        let checked = load(path, &args.spec.set.sets, &Disk).and_then(|specs| {
            specs.into_iter().map(|s| check(&s, &Disk).map(|r| (s, r))).collect::<Result<Vec<_>, _>>()
        });
        match checked {
            Ok(specs) => {
                for (spec, report) in specs {
                    if report.is_violated() {
                        done = Done::BudgetFails;
                    }
                    if args.spec.json.json {
                        documents.push(verdicts::document(&spec, &report));
                    } else {
                        verdicts::show(&spec, &report);
                    }
                }
            }
            Err(errors) if args.spec.json.json => {
                documents.push(json!({ "spec": named, "errors": json_of(&errors) }));
                failed = true;
            }
            Err(errors) => {
                render::diagnostics(&errors);
                failed = true;
            }
        }
    }
    if args.spec.json.json {
        print_json(&json!({ "schema": coec_ir::SCHEMA, "specs": documents }));
    }
    if failed { Err(Failure::Shown) } else { Ok(done) }
}
