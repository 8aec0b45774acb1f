//! docs/errors.md as data: stages, and in each a page for every code.
//!
//! The text is part of the program, so that an installed binary has it.

use serde::Serialize;

const TEXT: &str = include_str!("../../../docs/errors.md");

/// What every code of the workspace begins with; commands accept codes without it.
pub const PREFIX: &str = "coec::";

/// The codes of one stage.
#[derive(Debug)]
pub struct Stage {
    /// Its heading: `Verifying`.
    pub title: &'static str,
    /// In the order of the file.
    pub pages: Vec<Page>,
}

/// What there is to say about one code.
#[derive(Debug, Serialize)]
pub struct Page {
    /// `coec::verify::k_exceeds_experts`.
    pub code: &'static str,
    /// The heading of its stage.
    pub stage: &'static str,
    /// The first sentence of the text.
    pub meaning: String,
    /// The page in Markdown, its heading left out.
    pub text: &'static str,
}

impl Page {
    /// The code without what all codes begin with: `verify::k_exceeds_experts`.
    pub fn short(&self) -> &'static str {
        self.code.strip_prefix(PREFIX).unwrap_or(self.code)
    }

    /// The last word of the code: `k_exceeds_experts`.
    pub fn name(&self) -> &'static str {
        self.code.rsplit("::").next().unwrap_or(self.code)
    }
}

/// Every stage, in the order of the file.
pub fn stages() -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    // What stands before the first stage is about the file itself.
    for part in TEXT.split("\n# ").skip(1) {
        let title = part.lines().next().unwrap_or_default();
        let pages = part.split("\n## ").skip(1).map(|page| {
            let (code, text) = page.split_once('\n').unwrap_or((page, ""));
            let text = text.trim();
            Page { code: code.trim(), stage: title, meaning: first_sentence(text), text }
        });
        stages.push(Stage { title, pages: pages.collect() });
    }
    stages
}

/// The first sentence of a page, without its stop.
fn first_sentence(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    let sentence = paragraph.split_once(". ").map_or(paragraph.as_str(), |(first, _)| first);
    sentence.trim_end_matches(['.', ':']).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_of_the_file_is_a_page() {
        let pages: Vec<Page> = stages().into_iter().flat_map(|stage| stage.pages).collect();
        assert_eq!(pages.len(), TEXT.matches("\n## ").count());
        for page in &pages {
            assert!(page.code.starts_with(PREFIX) && !page.meaning.is_empty(), "{page:?}");
            assert!(!page.meaning.contains("```"), "{}: {}", page.code, page.meaning);
        }
        let known = |code: &str| pages.iter().any(|page| page.code == code);
        assert!(coec_lang::codes().into_iter().all(known));
    }

    /// A page that only says what is wrong helps nobody.
    #[test]
    fn every_page_says_what_to_do() {
        for page in stages().into_iter().flat_map(|stage| stage.pages) {
            let prose = page.text.split("```").step_by(2).flat_map(|part| part.split("\n\n"));
            let paragraphs = prose.filter(|paragraph| !paragraph.trim().is_empty()).count();
            assert!(paragraphs >= 2, "{}: {}", page.code, page.text);
        }
    }
}
