//! The page around the sections, and how large it may be.

use crate::context::Context;
use crate::detail::Detail;
use crate::html::escape;
use crate::section::{self, Section};
use crate::series::Style;
use crate::values::Report;

/// Most bytes of a page.
pub const LARGEST: usize = 2_000_000;

const STYLE: &str = include_str!("page.css");

/// The report as one HTML page of at most [`LARGEST`] bytes: with less detail where it would be larger.
pub fn page(report: &Report) -> String {
    let mut page = String::new();
    for detail in Detail::LEVELS {
        page = drawn(&Context::new(report, detail));
        if page.len() <= LARGEST {
            break;
        }
    }
    page
}

fn drawn(context: &Context<'_>) -> String {
    let title = escape(&title(context));
    let sections = section::all(context);
    let links: String = sections
        .iter()
        .map(|Section { id, title, .. }| format!("<li><a href=\"#{id}\">{title}</a></li>\n"))
        .collect();
    let body: String = sections
        .iter()
        .map(|Section { id, title, html }| {
            format!("<section id=\"{id}\" aria-labelledby=\"{id}-h\">\n<h2 id=\"{id}-h\">{title}</h2>\n{html}</section>\n")
        })
        .collect();
    let style = format!("{STYLE}{}{}", switches(context), coec_graph::inline_style());
    let subtitle = subtitle(context);
    let version = escape(&context.report.version);
    // The policy lets nothing be loaded and nothing be run, whatever a file may have smuggled in.
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the report</a>\n\
         <header>\n<h1>{title}</h1>\n{subtitle}</header>\n\
         <nav aria-label=\"Contents\">\n<ul>\n{links}</ul>\n</nav>\n\
         <main id=\"main\">\n{body}</main>\n\
         <footer>\n<p>Written by coec {version}. This page loads nothing and runs nothing.</p>\n</footer>\n\
         </body>\n</html>\n"
    )
}

/// What the page is about.
fn title(context: &Context<'_>) -> String {
    let arms = &context.report.arms;
    let name = |at: usize| crate::html::cut(&arms[at].name, 60);
    match (arms.len(), context.run_count()) {
        (0, _) => "No runs".into(),
        (1, 1) => name(0),
        (1, runs) => format!("{}: {}", name(0), coec_ir::counted(runs, "run")),
        (2, _) => format!("{} and {}", name(0), name(1)),
        (models, runs) => {
            format!("{} of {}", coec_ir::counted(runs, "run"), coec_ir::counted(models, "spec"))
        }
    }
}

fn subtitle(context: &Context<'_>) -> String {
    let models: Vec<String> = match context.report.arms.as_slice() {
        [arm] if context.run_count() == 1 => {
            let doc = arm.spec.as_ref().map_or("", |spec| spec.model.doc.as_str());
            doc.lines().map(escape).collect()
        }
        _ => Vec::new(),
    };
    let doc = match models.join(" ") {
        doc if doc.trim().is_empty() => String::new(),
        doc => format!("<p class=\"lead\">{doc}</p>\n"),
    };
    match context.fairness.warning() {
        Some(warning) => format!("{doc}<p class=\"warning\">{}</p>\n", escape(&warning)),
        None => doc,
    }
}

/// What the boxes in front of names do: a line whose box is empty is gone, and while a name is pointed at,
/// the other lines stand back.
fn switches(context: &Context<'_>) -> String {
    let rule = |(number, _): (usize, _)| {
        let series = format!("s{number}");
        debug_assert!(Style::arm(number).class().starts_with(&series));
        format!(
            "main:has(#show-{number}:not(:checked)) .plot .{series}{{display:none}}\n\
             section:has(.k{number}:hover) .plot [class^=s]:not(.{series}),\
             section:has(#show-{number}:focus-visible) .plot [class^=s]:not(.{series}){{opacity:.15}}\n"
        )
    };
    if context.report.arms.len() < 2 { String::new() } else { context.arms().map(rule).collect() }
}
