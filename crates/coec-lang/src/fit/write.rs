//! The spec with the values that were found: its own text, changed where it must be.

use coec_ir::Rule;
use coec_ir::table::{ATTENTION, FFN, Tabled};

use super::{Candidate, Fit};
use crate::ast::{Budget, Field, Value, ValueKind, Word};
use crate::resolve::locate::argument;
use crate::scan;
use crate::source::Span;
use crate::spec::Spec;
use crate::turn::{base_ffn, turned};

/// What a path of the spec, relative to its folder, is called where the text will stand.
pub type Relocate<'a> = &'a dyn Fn(&str) -> String;

/// One level of indentation.
const INDENT: &str = "    ";

impl Fit {
    /// The text of `spec` with the values of `candidate`, and with `rules` among its budgets.
    ///
    /// The file stays as it is but for these: a value is written where it stood, or as another field of
    /// its block. A file that is nothing but a block becomes a model, and a model in the paper's notation is
    /// written out. `relocate` names the files that the text names.
    pub fn text(
        &self,
        spec: &Spec,
        candidate: &Candidate,
        rules: &[Rule],
        relocate: Option<Relocate<'_>>,
    ) -> String {
        text(spec, candidate, rules, relocate)
    }
}

impl Spec {
    /// The text of the spec with other whole numbers in some of its fields, each by its dotted name; `None` where that
    /// is no model. The rest of the text stays as it is.
    pub fn text_with(&self, values: &[(&str, usize)]) -> Option<String> {
        let model = self.with(values)?;
        let values = values.iter().map(|(path, value)| ((*path).to_owned(), *value)).collect();
        Some(text(self, &Candidate { values, model, matched: Vec::new() }, &[], None))
    }

    /// The text of the spec as a file in which other models may stand: one that is nothing but a block becomes a model.
    pub fn text_with_names(&self) -> String {
        let own = self.draft.own();
        let text: &str = &self.sources.get(own.unit.source).text;
        match is_bare(self) {
            true => Edits { text, edits: Vec::new() }.as_model(self, &[]),
            false => text.to_owned(),
        }
    }
}

fn text(spec: &Spec, candidate: &Candidate, rules: &[Rule], relocate: Option<Relocate<'_>>) -> String {
    let lines: Vec<String> = rules.iter().map(coec_ir::text::rule).collect();
    if spec.path.is_none() {
        return explicit(candidate, &lines);
    }
    let own = spec.draft.own();
    let text: &str = &spec.sources.get(own.unit.source).text;
    let mut edits = Edits { text, edits: Vec::new() };
    if let Some(relocate) = relocate {
        edits.relocate(spec, relocate);
    }
    let bare = is_bare(spec);
    for (path, value) in &candidate.values {
        edits.set(spec, candidate, path, *value, bare);
    }
    // Values inside the block alone leave it the block that it is.
    let is_block = edits.edits.iter().all(|edit| !edit.2.ends_with(AS_FFN));
    if bare && !(is_block && lines.is_empty()) {
        return edits.as_model(spec, &lines);
    }
    edits.add_rules(spec, &lines);
    edits.finish()
}

/// What stands in front of a block that becomes the last field of a model.
const AS_FFN: &str = "ffn = ";

/// A model that has no file, with everything written out.
fn explicit(candidate: &Candidate, lines: &[String]) -> String {
    format!("{}\n{}", coec_ir::text::model(&candidate.model), budget(None, lines))
}

/// A budget of its own.
fn budget(model: Option<&str>, lines: &[String]) -> String {
    let name = model.map_or(String::new(), |model| format!("{model} "));
    let lines: String = lines.iter().map(|line| format!("{INDENT}{line}\n")).collect();
    format!("budget {name}{{\n{lines}}}\n")
}

/// Whether a file is nothing but a block: its model has no name in the text.
fn is_bare(spec: &Spec) -> bool {
    let model = spec.draft.own().model();
    model.fields.first().is_some_and(|field| field.name.span == model.name.span)
}

/// Changes to a text, each of a piece of it.
struct Edits<'t> {
    text: &'t str,
    edits: Vec<(usize, usize, String)>,
}

impl Edits<'_> {
    fn replace(&mut self, span: Span, new: String) {
        self.edits.push((span.start as usize, span.end as usize, new));
    }

    /// The same, if that is not done yet: two fields may be in one block.
    fn replace_once(&mut self, span: Span, new: String) {
        let is_done =
            self.edits.iter().any(|edit| edit.0 == span.start as usize && edit.1 == span.end as usize);
        if !is_done {
            self.replace(span, new);
        }
    }

    fn insert(&mut self, at: usize, new: String) {
        self.edits.push((at, at, new));
    }

    fn finish(self) -> String {
        self.apply(0, self.text.len())
    }

    /// The text from `start` to `end` with the changes in it.
    fn apply(&self, start: usize, end: usize) -> String {
        let mut edits: Vec<_> = self.edits.iter().filter(|edit| edit.0 >= start && edit.1 <= end).collect();
        edits.sort_by_key(|edit| (edit.0, edit.1));
        let (mut out, mut at) = (String::new(), start);
        for (from, to, new) in edits {
            out.push_str(&self.text[at..*from]);
            out.push_str(new);
            at = *to;
        }
        out + &self.text[at..end]
    }

    /// Gives a field another value.
    fn set(&mut self, spec: &Spec, candidate: &Candidate, path: &str, value: usize, is_bare: bool) {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let own = spec.draft.own();
        let is_it = |field: &&Field| field.index.is_none() && field.name.text == first;
        let field = own.model().fields.iter().rev().find(is_it);
        let place = match (field, rest) {
            (Some(field), None) => Some(Place::Whole(field.value.span)),
            // A name stands for a value that others may use too.
            (Some(field), Some(rest)) if spec.scopes.binding(&field.value).is_none() => {
                place(&field.value, rest)
            }
            (Some(field), Some(_)) => {
                return self.replace_once(field.value.span, block_text(spec, candidate, first));
            }
            (None, _) => None,
        };
        match place {
            Some(Place::Whole(span)) => self.replace(span, value.to_string()),
            Some(Place::Behind(at, before, name, after)) => {
                self.insert(at, format!("{before}{name}={value}{after}"))
            }
            None => {
                let value = match rest {
                    None => value.to_string(),
                    Some(_) => block_text(spec, candidate, first),
                };
                let field = format!("{first} = {value}");
                // One block has all the values in it.
                if self.edits.iter().all(|edit| !edit.2.contains(&field)) {
                    self.add_field(spec, &field, is_bare);
                }
            }
        }
    }

    /// Adds a field to the model.
    fn add_field(&mut self, spec: &Spec, field: &str, is_bare: bool) {
        let model = spec.draft.own().model();
        if is_bare {
            // The block becomes the last field of a model.
            let at = model.fields[0].value.span.start as usize;
            return self.insert(at, format!("{field}\n{INDENT}{AS_FFN}"));
        }
        match model.fields.last() {
            Some(last) => self.add_behind(last.value.span.end as usize, field),
            None => {
                let from =
                    model.extends.as_ref().map_or(model.name.span, |extends| extends.span).end as usize;
                let brace = scan::lexemes(self.text, from).find(|(_, byte)| *byte == b'{');
                let brace = brace.map_or(from, |(at, _)| at + 1);
                self.insert(brace, format!(" {field}"));
            }
        }
    }

    /// Adds `new` behind what ends at `end`: on a line of its own where nothing but a comment follows.
    fn add_behind(&mut self, end: usize, new: &str) {
        let rest = &self.text[end..];
        let line = rest.split('\n').next().unwrap_or_default();
        let is_last = line.trim().is_empty() || line.trim_start().starts_with("//");
        if !is_last {
            return self.insert(end, format!(" {new}"));
        }
        let before = &self.text[..end];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let indent: String = before[start..].chars().take_while(|c| *c == ' ' || *c == '\t').collect();
        let carriage = if line.ends_with('\r') { "\r" } else { "" };
        let at = end + line.len() - carriage.len();
        self.insert(at, format!("{carriage}\n{indent}{new}"));
    }

    /// Adds rules to the last budget of the model, or as a budget behind everything.
    fn add_rules(&mut self, spec: &Spec, lines: &[String]) {
        let own = spec.draft.own();
        let name = &own.model().name.text;
        let is_own = |budget: &&Budget| budget.name.as_ref().is_none_or(|of| of.text == *name);
        let is_for_all = |budget: &&Budget| own.unit.models.len() == 1 || budget.name.is_some();
        let known: Vec<String> = spec.rules.iter().map(|rule| coec_ir::text::rule(&rule.rule)).collect();
        let lines: Vec<String> = lines.iter().filter(|line| !known.contains(line)).cloned().collect();
        if lines.is_empty() {
            return;
        }
        let budgets = own.unit.budgets.iter().filter(is_own).filter(is_for_all);
        let last = budgets.filter_map(|budget| budget.rules.last()).next_back();
        if let Some(last) = last {
            let end = last.span.end as usize;
            return lines.iter().rev().for_each(|line| self.add_behind(end, line));
        }
        let model = (own.unit.models.len() > 1).then_some(name.as_str());
        let gap = if self.text.ends_with('\n') { "\n" } else { "\n\n" };
        self.insert(self.text.len(), format!("{gap}{}", budget(model, &lines)));
    }

    /// The text of a bare block as a model, with budgets.
    fn as_model(&self, spec: &Spec, lines: &[String]) -> String {
        let model = spec.draft.own().model();
        let block = model.fields[0].value.span;
        let (start, end) = (block.start as usize, block.end as usize);
        let inner = self.apply(start, end);
        let inner = if self.edits.iter().any(|edit| edit.2.ends_with(AS_FFN)) {
            inner
        } else {
            format!("{AS_FFN}{inner}")
        };
        let rest = self.text[end..].trim_end();
        let (name, before) = (&model.name.text, &self.text[..start]);
        let budget = if lines.is_empty() { String::new() } else { format!("\n{}", budget(None, lines)) };
        format!("{before}model {name} {{\n{INDENT}{inner}\n}}{rest}\n{budget}")
    }

    /// Names the files that the text names as they are called where it will stand.
    fn relocate(&mut self, spec: &Spec, relocate: Relocate<'_>) {
        let unit = &spec.draft.own().unit;
        let mut moved = |text: &str, span: Span| {
            if !crate::notation::is_notation(text) {
                self.replace(span, coec_ir::text::string(&relocate(text)));
            }
        };
        for extends in unit.models.iter().filter_map(|model| model.extends.as_ref()) {
            moved(&extends.text, extends.span);
        }
        for rule in unit.budgets.iter().flat_map(|budget| &budget.rules) {
            if let crate::ast::Target::Figure { spec: Some(spec), .. } = &rule.target {
                moved(&spec.text, spec.span);
            }
        }
        let fields = unit.trains.iter().flat_map(|train| &train.fields).map(|field| &field.value);
        for value in fields.chain(unit.let_values()) {
            each_path(value, &mut moved);
        }
    }
}

/// Where a value goes.
enum Place {
    /// In place of what stands there.
    Whole(Span),
    /// At a byte: what stands before the name, the name of the field, and what stands behind the value.
    Behind(usize, &'static str, String, &'static str),
}

/// Where the field at `path` inside a block has its value, or could have it.
fn place(value: &Value, path: &str) -> Option<Place> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let ValueKind::Word(word) = &value.kind else { return None };
    match (argument(word, first), rest) {
        (Some(value), None) => Some(Place::Whole(value.span)),
        (Some(value), Some(rest)) => place(value, rest),
        (None, None) => Some(behind(value, word, first)),
        (None, Some(_)) => None,
    }
}

fn behind(value: &Value, word: &Word, name: &str) -> Place {
    let name = name.to_owned();
    match word.args.as_deref() {
        Some([.., last]) => Place::Behind(last.value.span.end as usize, ", ", name, ""),
        // `dense()`: before the bracket that closes it.
        Some([]) => Place::Behind(value.span.end as usize - 1, "", name, ""),
        None => Place::Behind(value.span.end as usize, "(", name, ")"),
    }
}

/// A sublayer with the values of a candidate, everything written out.
fn block_text(spec: &Spec, candidate: &Candidate, first: &str) -> String {
    let values: Vec<(&str, usize)> =
        candidate.values.iter().map(|(path, value)| (path.as_str(), *value)).collect();
    let draft = turned(spec, &values);
    let layers: Vec<_> = candidate.model.layers.iter().collect();
    let block = match first {
        ATTENTION => {
            let all: Vec<_> = layers.iter().map(|layer| &layer.attention).collect();
            coec_ir::text::most_common(&all).map(|attention| attention.block())
        }
        FFN => {
            let all: Vec<_> = layers.iter().map(|layer| &layer.ffn).collect();
            base_ffn(spec, &draft)
                .or_else(|| coec_ir::text::most_common(&all).map(|ffn| (*ffn).clone()))
                .map(|ffn| ffn.block())
        }
        _ => None,
    };
    block.map_or_else(String::new, |block| block.to_string())
}

/// The words whose first field is a path or several.
const FILES: [&str; 4] = ["text", "jsonl", "parquet", "file"];

/// Calls `each` with every path of a file in a value of a training.
fn each_path(value: &Value, each: &mut dyn FnMut(&str, Span)) {
    match &value.kind {
        ValueKind::List(values) => values.iter().for_each(|value| each_path(value, each)),
        ValueKind::Word(word) => {
            let names_files = FILES.contains(&word.name.text.as_str());
            for (place, arg) in word.args.iter().flatten().enumerate() {
                let is_path =
                    arg.key.as_ref().map_or(place == 0, |key| key.text == "glob" || key.text == "path");
                match names_files && is_path {
                    true => each_text(&arg.value, each),
                    false => each_path(&arg.value, each),
                }
            }
        }
        _ => {}
    }
}

fn each_text(value: &Value, each: &mut dyn FnMut(&str, Span)) {
    match &value.kind {
        ValueKind::Text(text) => each(text, value.span),
        ValueKind::List(values) => values.iter().for_each(|value| each_text(value, each)),
        _ => {}
    }
}
