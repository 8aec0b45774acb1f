//! Errors, warnings and advice as others see them: with their texts, ready to be
//! rendered by `miette` or written as JSON. Nothing is rendered here.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use miette::{LabeledSpan, SourceCode};
use serde::Serialize;

use crate::error::{Advice, BudgetError, Meant, Problem};
use crate::source::{Sources, Span};

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing can be built from this.
    Error,
    /// It can, and a rule marked `warn` does not hold.
    Warning,
    /// Worth knowing.
    Advice,
}

/// A piece of a named text, with what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// The file as the user named it, `--set`, or `argument`.
    pub file: String,
    /// Line of the first character, from 1.
    pub line: usize,
    /// Its column, from 1, in characters.
    pub column: usize,
    /// Line behind the last character.
    pub end_line: usize,
    /// Column behind the last character.
    pub end_column: usize,
    /// What to say.
    #[serde(rename = "label")]
    pub text: String,
}

/// One error, warning or piece of advice.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    problem: Problem,
    sources: Arc<Sources>,
    /// Labels that are not in the text of the main one.
    elsewhere: Vec<Elsewhere>,
}

/// A diagnostic as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiagnosticJson {
    /// `coec::verify::k_exceeds_experts`.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where, and what was expected there.
    #[serde(flatten)]
    pub label: Label,
    /// What to do about it.
    pub help: String,
    /// Further places that belong to it.
    pub related: Vec<Label>,
}

impl Label {
    pub(crate) fn new(sources: &Sources, span: Span, text: String) -> Self {
        let source = sources.get(span.source);
        let (line, column) = source.line_column(span.start as usize);
        let (end_line, end_column) = source.line_column(span.end as usize);
        Self { file: source.name.clone(), line, column, end_line, end_column, text }
    }
}

impl Diagnostic {
    pub(crate) fn new(problem: impl Into<Problem>, sources: &Arc<Sources>) -> Self {
        let problem = problem.into();
        let labels = problem.labels();
        let main = labels[0].0.source;
        let elsewhere = labels
            .iter()
            .filter(|(span, _)| span.source != main)
            .map(|(span, text)| Elsewhere { span: *span, text: text.clone(), sources: sources.clone() })
            .collect();
        Self { problem, sources: sources.clone(), elsewhere }
    }

    /// The code: `coec::verify::k_exceeds_experts`. Documentation has a section for each.
    pub fn code(&self) -> &'static str {
        self.problem.code()
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self.problem {
            Problem::Advice(Advice::PaperName { .. }) => Severity::Advice,
            Problem::Foreign(ref said) if !said.is_error() => Severity::Advice,
            Problem::Budget(BudgetError::Warned { .. }) => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// What is wrong, in one sentence.
    pub fn message(&self) -> String {
        self.problem.to_string()
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        self.problem.help()
    }

    /// Where, the main place first.
    pub fn labels(&self) -> Vec<Label> {
        self.problem.labels().into_iter().map(|(span, text)| Label::new(&self.sources, span, text)).collect()
    }

    /// What mends it, if that is known: for every "did you mean" of the help, the place and what belongs there.
    pub fn replacements(&self) -> Vec<Label> {
        let replacement = |(span, meant): (Span, Meant)| {
            let source = self.sources.get(span.source);
            let (start, end) = (span.start as usize, span.end as usize);
            let is_text = source.text[start..end].starts_with('"');
            let (at, text) = match meant {
                Meant::Word(word) if is_text => (span, coec_ir::table::string(&word)),
                Meant::Word(word) | Meant::Model(word) if !is_text => (span, word),
                Meant::Word(word) | Meant::Model(word) => {
                    // The name of a model stands in front of the second quote, behind a mark if there was one.
                    let named = source.text[start..end].rfind('#').map(|mark| start + mark);
                    (Span::new(span.source, named.unwrap_or(end - 1), end - 1), format!("#{word}"))
                }
            };
            Label::new(&self.sources, at, text)
        };
        self.problem.meant().into_iter().map(replacement).collect()
    }

    /// The form for JSON.
    pub fn to_json(&self) -> DiagnosticJson {
        let mut labels = self.labels();
        let related = labels.split_off(1);
        let label = labels.remove(0);
        DiagnosticJson {
            code: self.code(),
            severity: self.severity(),
            message: self.message(),
            label,
            help: self.help(),
            related,
        }
    }

    fn main(&self) -> Span {
        self.problem.labels()[0].0
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code()))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity() {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Advice => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.help()))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.sources.get(self.main().source).as_ref())
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let labels = self.problem.labels();
        let main = self.main();
        let here = labels.into_iter().filter(move |(span, _)| span.source == main.source);
        // The header of a rendered report names the line of the primary label.
        Some(Box::new(here.enumerate().map(|(i, (span, text))| labeled(span, text, i == 0))))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        if self.elsewhere.is_empty() {
            return None;
        }
        Some(Box::new(self.elsewhere.iter().map(|label| label as &dyn miette::Diagnostic)))
    }
}

fn labeled(span: Span, text: String, primary: bool) -> LabeledSpan {
    let at = (span.start as usize, (span.end - span.start) as usize);
    if primary {
        LabeledSpan::new_primary_with_span(Some(text), at)
    } else {
        LabeledSpan::new_with_span(Some(text), at)
    }
}

/// A label in another text, which `miette` wants as a diagnostic of its own.
#[derive(Debug, Clone)]
struct Elsewhere {
    span: Span,
    text: String,
    sources: Arc<Sources>,
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Elsewhere {}

impl miette::Diagnostic for Elsewhere {
    fn severity(&self) -> Option<miette::Severity> {
        Some(miette::Severity::Advice)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.sources.get(self.span.source).as_ref())
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(labeled(self.span, self.text.clone(), true))))
    }
}

/// Everything wrong with a spec, in the order of its text.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    omitted: usize,
}

impl Diagnostics {
    /// The diagnostics.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// How many more there are than [`MOST`](Self::MOST), which are not kept.
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// Most diagnostics that are kept: nobody reads more, and rendering takes time for each.
    pub const MOST: usize = 200;
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.list.iter().enumerate() {
            let end = if i + 1 == self.list.len() { "" } else { "\n" };
            write!(f, "{}: {diagnostic}{end}", diagnostic.code())?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// What tells problems of one code and place apart: settings that a text lacks are all missing where it begins.
fn said(problem: &Problem) -> Option<String> {
    matches!(problem, Problem::Foreign(_)).then(|| problem.to_string())
}

/// Collects problems while a load goes on, each once.
#[derive(Debug, Default)]
pub(crate) struct Found {
    list: Vec<Problem>,
    seen: HashSet<(&'static str, Span, Option<String>)>,
    omitted: usize,
}

impl Found {
    pub fn push(&mut self, problem: impl Into<Problem>) {
        let problem = problem.into();
        let at = problem.labels()[0].0;
        if self.list.len() >= Diagnostics::MOST {
            self.omitted += 1;
        } else if self.seen.insert((problem.code(), at, said(&problem))) {
            self.list.push(problem);
        }
    }

    /// What was found so far.
    pub fn problems(&self) -> &[Problem] {
        &self.list
    }

    /// Adds what another collection found.
    pub fn extend(&mut self, other: Found) {
        self.omitted += other.omitted;
        other.list.into_iter().for_each(|problem| self.push(problem));
    }

    /// Counts a problem that is not worth describing, because too many are known already.
    pub fn omit(&mut self) {
        self.omitted += 1;
    }

    /// Whether further problems are only counted, so that none needs a suggestion.
    pub fn is_full(&self) -> bool {
        self.list.len() >= Diagnostics::MOST
    }

    /// How many there are; a later number that is larger means something went wrong in between.
    pub fn count(&self) -> usize {
        self.list.len() + self.omitted
    }

    /// Everything found, in the order of the texts; `Ok` if that is nothing.
    pub fn into_result(mut self, sources: &Arc<Sources>) -> Result<(), Diagnostics> {
        if self.list.is_empty() {
            return Ok(());
        }
        self.list.sort_by_key(|problem| {
            let at = problem.labels()[0].0;
            (at.source.0, at.start)
        });
        let list = self.list.into_iter().map(|problem| Diagnostic::new(problem, sources)).collect();
        Err(Diagnostics { list, omitted: self.omitted })
    }
}

/// A value without errors, or the errors. A stage that gives no value reports why.
pub(crate) fn finish<T>(value: Option<T>, found: Found, sources: &Arc<Sources>) -> Result<T, Diagnostics> {
    match (found.into_result(sources), value) {
        (Ok(()), Some(value)) => Ok(value),
        (Err(errors), _) => Err(errors),
        (Ok(()), None) => Err(Diagnostics::default()),
    }
}
