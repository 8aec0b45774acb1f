//! What the targets share.

mod model;

use coec_lang::{Diagnostic, Diagnostics, Spec};
use miette::{GraphicalReportHandler, GraphicalTheme};

pub use model::model;

/// Errors are there, point into a text, say what to do, and can be shown in both forms.
pub fn presentable(errors: &Diagnostics) {
    assert!(errors.iter().count() > 0, "a failure gives a reason");
    errors.iter().for_each(presentable_one);
}

/// The same for a single one.
pub fn presentable_one(diagnostic: &Diagnostic) {
    let json = serde_json::to_value(diagnostic.to_json()).expect("a diagnostic is JSON");
    let text = |key: &str| json[key].as_str().unwrap_or_default().to_string();
    assert!(coec_lang::codes().contains(&text("code").as_str()), "{json}");
    assert!(!text("message").is_empty() && !text("help").is_empty(), "{json}");
    assert!(json["line"].as_u64() > Some(0) && json["column"].as_u64() > Some(0), "{json}");
    let mut screen = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor());
    handler.with_links(false).render_report(&mut screen, diagnostic).expect("a diagnostic can be drawn");
}

/// All that a spec says, without where it says it.
pub fn meaning(spec: &Spec) -> String {
    let rules: Vec<_> = spec.rules.iter().map(|rule| &rule.rule).collect();
    format!("{:?} {rules:?} {:?}", spec.model, spec.train)
}
