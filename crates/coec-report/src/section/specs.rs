//! Each spec as it was trained, every value explicit.

use crate::context::Context;
use crate::html::{escape, folded, missing};

pub fn html(context: &Context<'_>) -> String {
    let mut out = String::new();
    for (number, arm) in context.arms() {
        let Some(spec) = &arm.spec else { continue };
        let most = context.detail.spec;
        let (text, is_cut) = match spec.text.char_indices().nth(most) {
            Some((end, _)) => (&spec.text[..end], true),
            None => (spec.text.as_str(), false),
        };
        let mut body = format!(
            "<div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"{}\"><pre class=\"spec\">\n{}</pre></div>\n",
            context.name(&arm.name),
            escape(text)
        );
        if is_cut {
            body += &missing("The rest is left out; spec.coe in the directory of a run has all of it.");
        }
        let summary = context.arm(number, arm) + &context.fairness.badge_of(&arm.name);
        out += &folded(&summary, &body, false);
    }
    out
}
