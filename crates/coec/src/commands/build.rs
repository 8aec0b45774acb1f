//! `coec build`: check, count the real module, write the model as a crate.

use std::fs;
use std::path::{Path, PathBuf};

use coec_emit::{Link, emit};
#[cfg(not(feature = "train"))]
use coec_ir::Figure;
use coec_ir::cost::Setting;
use coec_lang::{Report, Spec, check, format, load_one};
use serde::Serialize;
use serde_json::json;

use crate::{
    arguments,
    cli::BuildArgs,
    crate_folder,
    disk::Disk,
    failure::{Done, Failure},
    render::{
        self,
        figure::{Figures, default_setting},
        json::print_json,
        verdicts,
    },
};

pub fn run(args: &BuildArgs) -> Result<Done, Failure> {
    let spec = load_one(&arguments::spec(&args.spec)?, &args.set.sets, &Disk)?;
    let report = check(&spec, &Disk)?;
    let document = verdicts::document(&spec, &report);
    if !args.json.json {
        verdicts::show(&spec, &report);
    }
    if report.is_violated() {
        if args.json.json {
            print_json(&json!({ "schema": coec_ir::SCHEMA, "spec": document, "written": null }));
        }
        return Ok(Done::BudgetFails);
    }

    let setting = default_setting(&spec);
    if !args.json.json {
        render::line(&format!("\n{}", laid_out(&coec_ir::text::model(&spec.model)).trim_end()));
    }
    let explicit = laid_out(&spec.explicit_text());
    let cost = coec_ir::cost::Cost::of(&spec.model, setting);
    let counted = Counted::of(&spec, &report, setting)?;
    let budget = BudgetDocument {
        schema: coec_ir::SCHEMA,
        convention: render::figure::CONVENTION,
        setting,
        figures: Figures(&cost),
        #[cfg(feature = "train")]
        captured: counted.counts.clone(),
        #[cfg(not(feature = "train"))]
        closed_form: counted.counts.clone(),
        budgets: verdicts(&document["budgets"]),
    };
    let ir = json!({ "schema": coec_ir::SCHEMA, "model": &*spec.model, "budget": rules(&spec), "train": spec.train });

    let dir = args.out.clone().unwrap_or_else(|| PathBuf::from(&spec.model.name));
    let link = args.link.clone().map(absolute).transpose()?;
    let files = emit(coec_emit::Input {
        model: &spec.model,
        spec: &explicit,
        ir: &pretty(&ir),
        budget: &pretty(&budget),
        picture: &coec_graph::svg(&spec.model),
        link: link.as_ref(),
    });
    let files = files.map_err(|error| {
        let help = "this is a bug of coec: its own Cargo.lock and what it writes do not agree";
        Failure::environment(error.code(), error.to_string(), help)
    })?;
    crate_folder::write(&dir, &files, args.force)?;
    if args.json.json {
        print_json(&Printed { spec: document, explicit: &explicit, report: budget, written: &dir });
    } else {
        counted.show();
        render::line(&format!(
            "wrote {}: a crate of {} files; start with src/model.rs",
            dir.display(),
            files.len()
        ));
    }
    Ok(Done::Well)
}

/// `budget.json`: the figures, what the capture device saw, and the verdicts.
#[derive(Serialize)]
struct BudgetDocument<'a> {
    schema: &'static str,
    convention: &'static str,
    setting: Setting,
    figures: Figures<'a>,
    #[cfg(feature = "train")]
    captured: Counts,
    #[cfg(not(feature = "train"))]
    closed_form: Counts,
    budgets: serde_json::Value,
}

/// The counts that the crate's test holds its module to: those of the real module, which agree with
/// the closed form, or of the closed form alone.
#[derive(Clone, Serialize)]
struct Counts {
    params: u128,
    forward_flops: u128,
    backward_flops: u128,
    #[cfg(feature = "train")]
    operations: usize,
}

/// What counting the model came to.
struct Counted {
    counts: Counts,
    #[cfg(feature = "train")]
    card: coec_train::report::ReportCard,
}

#[cfg(feature = "train")]
impl Counted {
    /// The real module, counted on the capture device and held against the closed form.
    fn of(spec: &Spec, report: &Report, setting: Setting) -> Result<Self, Failure> {
        let counts = coec_nn::capture::check_built(&spec.model, setting)?;
        // The crate's test counts a pass that keeps everything; the card says what a step of the spec's
        // training performs.
        let recompute = spec.train.as_ref().map(|train| train.recompute).unwrap_or_default();
        let trained = Setting { recompute, ..setting };
        let in_training = match trained == setting {
            true => counts,
            false => coec_nn::capture::check_built(&spec.model, trained)?,
        };
        let budgets = crate::judge::judged(spec, report, "capture", None);
        let card = coec_train::report::ReportCard::new(
            &spec.model,
            trained,
            "capture",
            &in_training,
            None,
            budgets,
            Default::default(),
        );
        let counts = Counts {
            params: counts.params,
            forward_flops: counts.forward,
            backward_flops: counts.backward,
            operations: counts.operations,
        };
        Ok(Self { counts, card })
    }

    fn show(&self) {
        render::card::print(&self.card);
    }
}

#[cfg(not(feature = "train"))]
impl Counted {
    /// The closed form: without Burn there is no module to hold it against.
    fn of(spec: &Spec, _: &Report, setting: Setting) -> Result<Self, Failure> {
        let cost = coec_ir::cost::Cost::of(&spec.model, setting);
        let figure =
            |figure| cost.figure(figure).and_then(|value| u128::try_from(value).ok()).unwrap_or_default();
        let forward = figure(Figure::FlopsExecuted) * (setting.batch * setting.context) as u128;
        let params = figure(Figure::ParamsTotal);
        Ok(Self { counts: Counts { params, forward_flops: forward, backward_flops: 2 * forward } })
    }

    fn show(&self) {
        render::line(
            "the real module was not counted: this coec is the compiler alone; `cargo test` in the crate counts it",
        );
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    report: BudgetDocument<'a>,
    spec: serde_json::Value,
    explicit: &'a str,
    written: &'a Path,
}

/// An explicit spec as `coec fmt` lays it out.
fn laid_out(explicit: &str) -> String {
    format("spec.coe", explicit).unwrap_or_else(|_| explicit.to_string())
}

/// The verdicts without the file and the line they were read from, which are no part of the model.
fn verdicts(budgets: &serde_json::Value) -> serde_json::Value {
    let mut budgets = budgets.clone();
    for verdict in budgets.as_array_mut().into_iter().flatten().filter_map(|v| v.as_object_mut()) {
        verdict.remove("file");
        verdict.remove("line");
    }
    budgets
}

/// A link whose path holds wherever the crate is written.
fn absolute(link: Link) -> Result<Link, Failure> {
    let Link::Path(path) = link else { return Ok(link) };
    let found = fs::canonicalize(&path).ok().filter(|dir| dir.join("crates/coec-nn/Cargo.toml").is_file());
    match found.as_deref().and_then(Path::to_str) {
        Some(found) => Ok(Link::Path(found.into())),
        None => Err(Failure::input(
            "coec::build::not_a_checkout",
            format!("{path} is not a checkout of coec: it has no crates/coec-nn"),
            "name the root of a checkout, or leave --link out for a crate that stands alone",
        )),
    }
}

fn rules(spec: &coec_lang::Spec) -> Vec<&coec_ir::Rule> {
    spec.rules.iter().map(|rule| &rule.rule).collect()
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
