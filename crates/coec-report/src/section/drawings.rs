//! Pictures of the models, each once.

use crate::context::Context;
use crate::html::missing;
use crate::values::Arm;

pub fn html(context: &Context<'_>) -> String {
    let arms = &context.report.arms;
    let mut drawn: Vec<(Vec<&Arm>, &coec_ir::Verified<coec_ir::Model>)> = Vec::new();
    for arm in arms {
        let Some(spec) = &arm.spec else { continue };
        // Names and comments draw nothing.
        match drawn.iter_mut().find(|(_, model)| coec_ir::diff::model(model, &spec.model).is_empty()) {
            Some((arms, _)) => arms.push(arm),
            None => drawn.push((vec![arm], &spec.model)),
        }
    }
    if drawn.is_empty() {
        return missing("No spec can be read by this version of coec.");
    }
    let mut out = String::new();
    for (number, (arms, model)) in drawn.iter().enumerate().take(context.detail.drawings) {
        let names: Vec<String> = arms.iter().map(|arm| context.name(&arm.name)).collect();
        let names = crate::html::listed(&names, 6);
        let badges: String = arms.iter().map(|arm| context.fairness.badge_of(&arm.name)).collect();
        let picture = coec_graph::inline(model, &format!("drawing-{number}"));
        out += &format!(
            "<figure class=\"drawing\">\n<div class=\"scroll\" role=\"group\" tabindex=\"0\" \
             aria-labelledby=\"drawing-{number}-name\">\n{picture}</div>\n<figcaption \
             id=\"drawing-{number}-name\">{names}{badges}</figcaption>\n</figure>\n"
        );
    }
    let left_out = drawn.len().saturating_sub(context.detail.drawings);
    if left_out > 0 {
        out += &missing(&format!("{left_out} more models are not drawn; coec graph draws each."));
    }
    out
}
