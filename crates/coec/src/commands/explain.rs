//! `coec explain`: what an error code means and what to do about it.

use serde_json::json;

use crate::{
    cli::ExplainArgs,
    failure::{Done, Failure},
    manual::{self, PREFIX, Page, Stage},
    render::{self, json::print_json, prose, terminal::Stream},
};

pub fn run(args: &ExplainArgs) -> Result<Done, Failure> {
    let stages = manual::stages();
    match &args.code {
        None => list(&stages, args.json.json),
        Some(code) => {
            let page = find(&stages, code).ok_or_else(|| unknown(&stages, code))?;
            show(page, args.json.json);
        }
    }
    Ok(Done::Well)
}

/// The page of a code, given in full or without what all codes begin with.
fn find<'a>(stages: &'a [Stage], code: &str) -> Option<&'a Page> {
    let short = code.strip_prefix(PREFIX).unwrap_or(code);
    pages(stages).find(|page| page.short() == short)
}

fn pages(stages: &[Stage]) -> impl Iterator<Item = &Page> {
    stages.iter().flat_map(|stage| &stage.pages)
}

/// Every code with its meaning, in the order of the stages.
fn list(stages: &[Stage], json: bool) {
    if json {
        let codes: Vec<_> = pages(stages)
            .map(|page| json!({ "code": page.code, "stage": page.stage, "meaning": page.meaning }))
            .collect();
        return print_json(&json!({ "schema": coec_ir::SCHEMA, "codes": codes }));
    }
    let width = Stream::Output.width();
    for stage in stages.iter().filter(|stage| !stage.pages.is_empty()) {
        render::line(stage.title);
        let longest = stage.pages.iter().map(|page| page.short().len()).max().unwrap_or(0);
        for page in &stage.pages {
            let left = format!("  {:longest$}  ", page.short());
            // Beside long codes a narrow terminal has no room for words.
            if left.len() > width / 2 {
                render::line(left.trim_end());
                render::line(&format!("      {}", prose::filled(&page.meaning, width, 6, 6)));
            } else {
                let meaning = prose::filled(&page.meaning, width, left.len(), left.len());
                render::line(&format!("{left}{meaning}"));
            }
        }
        render::line("");
    }
    let last = "`coec explain CODE` shows the page of one, with an example.";
    render::line(&prose::filled(last, width, 0, 0));
}

fn show(page: &Page, json: bool) {
    if json {
        let Page { code, stage, meaning, text } = page;
        return print_json(&json!({
            "schema": coec_ir::SCHEMA, "code": code, "stage": stage, "meaning": meaning, "text": text,
        }));
    }
    let width = Stream::Output.width();
    let title = prose::filled(&format!("{} ({})", page.code, page.stage), width, 0, 0);
    render::line(&format!("{title}\n\n{}", prose::page(page.text, width)));
}

/// An error's name alone is found as well as a misspelt code.
fn unknown(stages: &[Stage], code: &str) -> Failure {
    let short = code.strip_prefix(PREFIX).unwrap_or(code);
    let name = short.rsplit("::").next().unwrap_or(short);
    let same: Vec<&str> = pages(stages).filter(|page| page.name() == name).map(|page| page.short()).collect();
    let near = || coec_lang::nearest(short, pages(stages).map(Page::short));
    let named = || {
        let near = coec_lang::nearest(name, pages(stages).map(Page::name))?;
        pages(stages).find(|page| page.name() == near).map(Page::short)
    };
    let help = match (same.as_slice(), near().or_else(named)) {
        ([], None) => "`coec explain` alone lists every code".into(),
        ([], Some(near)) => format!("did you mean `{near}`? `coec explain` alone lists every code"),
        ([one], _) => format!("did you mean `{one}`?"),
        ([rest @ .., last], _) => format!("did you mean `{}` or `{last}`?", rest.join("`, `")),
    };
    Failure::input("coec::explain::unknown", format!("there is no error code `{code}`"), help)
}
