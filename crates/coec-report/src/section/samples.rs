//! What the runs make of the same beginnings.

use crate::context::Context;
use crate::html::{cut, escape, missing};
use crate::values::{Arm, Run};

/// A run's continuation of a prompt.
struct Continued<'a> {
    number: usize,
    arm: &'a Arm,
    run: &'a Run,
    text: &'a str,
}

pub fn html(context: &Context<'_>) -> String {
    let mut prompts: Vec<(&str, Vec<Continued<'_>>)> = Vec::new();
    for (number, arm, run) in context.runs() {
        for sample in run.samples.iter().flatten().take(context.detail.samples) {
            let continued = Continued { number, arm, run, text: &sample.text };
            match prompts.iter_mut().find(|(prompt, _)| *prompt == sample.prompt) {
                Some((_, all)) => all.push(continued),
                None => prompts.push((&sample.prompt, vec![continued])),
            }
        }
    }
    if prompts.is_empty() {
        return missing("No run left samples: they are made when a run comes to its end.");
    }
    let is_alone = context.run_count() == 1;
    let mut out =
        "<p>Greedy continuations of held-out text, made at the end of each run.</p>\n<div class=\"samples\">\n".to_owned();
    for (prompt, all) in prompts.iter().take(context.detail.samples) {
        let shown = escape(&cut(prompt, context.detail.sample));
        let prompt = if shown.trim().is_empty() { "(an empty prompt)".into() } else { shown };
        out += &format!("<article>\n<h3 class=\"prompt\">{prompt}</h3>\n");
        for Continued { number, arm, run, text } in all {
            if !is_alone {
                let badge = context.fairness.badge_of(&arm.name);
                let name = context.name(&run.name);
                out += &format!(
                    "<p class=\"who\">{} <span class=\"run\">{name}</span>{badge}</p>\n",
                    context.arm(*number, arm)
                );
            }
            // A line of its own in front, which HTML drops, keeps one that the text begins with.
            out += &format!("<pre>\n{}</pre>\n", escape(&cut(text, context.detail.sample)));
        }
        out += "</article>\n";
    }
    out + "</div>\n"
}
