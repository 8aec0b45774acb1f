//! Run by run: what a section has to say of each, the first ones unfolded.

use crate::context::Context;
use crate::html::{escape, folded, missing};
use crate::values::{Arm, Run};

/// A run, and what its elements may be called.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    pub arm: &'a Arm,
    pub run: &'a Run,
    /// Its number on the page.
    pub number: usize,
}

/// Why a run has nothing to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// It was not recorded.
    Record,
    /// There is no such thing in its model; why, in a few words.
    Thing(&'static str),
}

/// What `say` has to say of each run, below its name; `what` is said to be missing where it has nothing.
/// The first run of each of the first arms is unfolded.
pub fn each(context: &Context<'_>, what: &str, say: impl Fn(Shown<'_>) -> Result<String, Lack>) -> String {
    let mut out = String::new();
    let mut lacking: Vec<(Lack, Vec<String>)> = Vec::new();
    let mut opened: Vec<usize> = Vec::new();
    let is_alone = context.run_count() == 1;
    for (number, (place, arm, run)) in context.runs().enumerate() {
        match say(Shown { arm, run, number }) {
            Err(lack) => match lacking.iter_mut().find(|(other, _)| *other == lack) {
                Some((_, runs)) => runs.push(context.name(&run.name)),
                None => lacking.push((lack, vec![context.name(&run.name)])),
            },
            Ok(html) if is_alone => out += &html,
            Ok(html) => {
                let badge = context.fairness.badge_of(&arm.name);
                let name = if run.name == arm.name {
                    String::new()
                } else {
                    format!(" <span class=\"run\">{}</span>", context.name(&run.name))
                };
                let summary = format!("{}{name}{badge}", context.arm(place, arm));
                let open = !opened.contains(&place) && opened.len() < context.detail.open;
                opened.extend(open.then_some(place));
                out += &folded(&summary, &html, open);
            }
        }
    }
    for (lack, runs) in lacking {
        let runs = if is_alone { "this run".into() } else { crate::html::listed(&runs, 12) };
        let said = match lack {
            Lack::Record => format!("{}: not recorded by {runs}.", escape(what)),
            Lack::Thing(why) => format!("{why}: {runs}."),
        };
        out += &format!("<p class=\"missing\">{said}</p>\n");
    }
    let left_out = context.run_count().saturating_sub(context.detail.runs);
    if left_out > 0 {
        out +=
            &missing(&format!("{left_out} more runs are not shown here; their directories have the same."));
    }
    out
}
