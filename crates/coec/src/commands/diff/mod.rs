//! `coec diff`: what differs between two specs.

mod document;
mod screen;

use coec_ir::cost::{Cost, Setting};
use coec_ir::diff::{self, Change, FigureChange, Loading, RuleChanges};
use coec_lang::{Spec, load_one};

use crate::{
    arguments,
    cli::DiffArgs,
    disk::Disk,
    failure::{Done, Failure},
    render::{figure::default_setting, json::print_json},
};

pub fn run(args: &DiffArgs) -> Result<Done, Failure> {
    let sides: Vec<String> = [&args.old].into_iter().chain(&args.new).cloned().collect();
    let sides = arguments::specs(&sides)?;
    let old = load_one(&sides[0], &[], &Disk)?;
    let new = load_one(&sides[sides.len() - 1], &args.sets, &Disk)?;
    let difference = Difference::of(&old, &new);
    if args.json.json {
        print_json(&document::Document::of(&difference));
    } else {
        screen::show(&difference);
    }
    Ok(Done::Well)
}

/// Everything in which two specs differ.
struct Difference<'a> {
    old: Side<'a>,
    new: Side<'a>,
    fields: Vec<Change>,
    figures: Vec<FigureChange>,
    loading: Loading,
    rules: RuleChanges<'a>,
    training: Vec<Change>,
}

/// One of the two specs.
struct Side<'a> {
    name: &'a str,
    setting: Setting,
}

impl<'a> Difference<'a> {
    fn of(old: &'a Spec, new: &'a Spec) -> Self {
        let side = |spec: &'a Spec| Side { name: &spec.model.name, setting: default_setting(spec) };
        let cost = |spec: &Spec| Cost::of(&spec.model, default_setting(spec));
        Self {
            old: side(old),
            new: side(new),
            fields: diff::model(&old.model, &new.model),
            figures: diff::figures(&cost(old), &cost(new)),
            loading: diff::loading(&old.model, &new.model),
            rules: diff::rules(
                old.rules.iter().map(|rule| &rule.rule),
                new.rules.iter().map(|rule| &rule.rule),
            ),
            training: training(old, new),
        }
    }

    /// Whether both specs mean the same.
    fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.rules.is_empty() && self.training.is_empty()
    }
}

/// The training of a spec that says nothing about it is the quickstart's, where that fits the
/// model; of two such specs nothing is to be said.
fn training(old: &Spec, new: &Spec) -> Vec<Change> {
    if old.train.is_none() && new.train.is_none() {
        return Vec::new();
    }
    let (before, after) = (old.train_or_default().ok(), new.train_or_default().ok());
    diff::train(before.as_ref(), after.as_ref())
}
