//! What may stand at a place, out of the block tables.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use coec_ir::budget::{BACKENDS, CONDITIONS};
use coec_ir::table::{self, Default, Field, Kind, LOOP, MODEL, TRAIN, Table};
use coec_ir::{Figure, Precision, Recompute, Shard};
use coec_lang::SETTINGS;
use coec_lang::outline::{Item, ItemKind, Role, Site, Token, Wants, site};
use gen_lsp_types::{
    CompletionItem, CompletionItemKind, CompletionItemTextEdit, Documentation, InsertTextFormat, TextEdit,
};

use super::{View, hover, markdown, names};
use crate::reference;
use crate::specs::{Search, is_spec};

/// A proposal before it is put in the place.
struct Proposal {
    label: String,
    kind: CompletionItemKind,
    detail: String,
    said: String,
    /// What is inserted: tab stops are `$1`, `${2:text}`.
    snippet: String,
}

impl Proposal {
    fn new(
        label: impl Into<String>,
        kind: CompletionItemKind,
        detail: impl Into<String>,
        said: impl Into<String>,
    ) -> Self {
        let label = label.into();
        Self { snippet: escaped(&label), label, kind, detail: detail.into(), said: said.into() }
    }

    fn inserting(self, snippet: impl Into<String>) -> Self {
        Self { snippet: snippet.into(), ..self }
    }
}

/// Text of a snippet that stands for itself.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('$', "\\$").replace('}', "\\}")
}

/// The proposals at a byte, the likeliest first.
pub(crate) fn at(view: &View, at: usize) -> Vec<CompletionItem> {
    let text = view.document.text.as_str();
    let Some(site) = site(text, at) else { return Vec::new() };
    let is_text = text[site.typed.clone()].starts_with('"');
    let proposals = match &site.wants {
        Wants::Spec => specs(view),
        _ if is_text => strings(&site),
        Wants::Item => items(view),
        Wants::Model => models(view),
        Wants::Field(table) => fields(table, given(view, &site)),
        Wants::Argument(next) => arguments(view, &site, *next),
        Wants::Value(field) => values(view, &site, *field),
        Wants::Figure => rules(),
        Wants::Comparison => comparisons(),
        Wants::Target(figure) => targets(view, *figure),
        Wants::Condition(figure) => conditions(*figure),
        Wants::Setting(name) => settings(name),
        Wants::Path => paths(),
        Wants::Head => head(),
        Wants::Index => vec![
            Proposal::new("every", CompletionItemKind::Keyword, "layers 0, 2, 4, ...", "")
                .inserting("every $0"),
        ],
        Wants::Axis => axes(),
        Wants::Under => {
            vec![Proposal::new("under", CompletionItemKind::Keyword, "the rule that it is to meet", "")]
        }
        Wants::Anything => Vec::new(),
    };
    // A proposal for what is already followed by its `=` brings none.
    let is_inside = |c: char| !site.typed.is_empty() && (c.is_ascii_alphanumeric() || c == '_');
    let rest = text[at..].trim_start_matches(is_inside).trim_start();
    let has_equals = rest.starts_with('=') && !rest.starts_with("==");
    let one = |(place, proposal): (usize, Proposal)| item(view, &site, place, proposal, has_equals);
    proposals.into_iter().enumerate().map(one).collect()
}

fn item(view: &View, site: &Site, place: usize, proposal: Proposal, has_equals: bool) -> CompletionItem {
    let mut snippet = proposal.snippet;
    if has_equals && proposal.kind == CompletionItemKind::Field {
        snippet = escaped(&proposal.label);
    }
    let is_snippet = view.texts.snippets && snippet.contains('$');
    let new = if is_snippet { snippet } else { plain(&snippet) };
    let range = view.document.text.span(site.replaced.clone());
    CompletionItem {
        label: proposal.label.clone(),
        kind: Some(proposal.kind),
        detail: Some(proposal.detail).filter(|detail| !detail.is_empty()),
        documentation: Some(proposal.said)
            .filter(|said| !said.is_empty())
            .map(|said| Documentation::MarkupContent(markdown(said))),
        sort_text: Some(format!("{place:04}")),
        // What is typed of a string has its first quote.
        filter_text: Some(if proposal.label.starts_with('"') { proposal.label } else { plain(&new) })
            .filter(|_| view.document.slice(site.typed.clone()).starts_with('"')),
        insert_text_format: is_snippet.then_some(InsertTextFormat::Snippet),
        text_edit: Some(CompletionItemTextEdit::TextEdit(TextEdit::new(range, new))),
        ..CompletionItem::default()
    }
}

/// A snippet without its stops.
fn plain(snippet: &str) -> String {
    let mut out = String::with_capacity(snippet.len());
    let mut chars = snippet.chars().peekable();
    let mut inside = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            '$' if chars.peek() == Some(&'{') => {
                chars.next();
                while chars.peek().is_some_and(char::is_ascii_digit) {
                    chars.next();
                }
                inside = chars.next_if_eq(&':').is_some();
                if !inside {
                    chars.next_if_eq(&'}');
                }
            }
            '$' => while chars.next_if(char::is_ascii_digit).is_some() {},
            '}' if inside => inside = false,
            c => out.push(c),
        }
    }
    out
}

fn items(view: &View) -> Vec<Proposal> {
    let keyword = |word: &str, said: &str, snippet: &str| {
        Proposal::new(word, CompletionItemKind::Keyword, said, "").inserting(snippet)
    };
    let mut found = vec![
        keyword("model", "a model", "model ${1:name} {\n\t$0\n\\}"),
        keyword("budget", "rules that hold for the models", "budget {\n\t$0\n\\}"),
        keyword("train", "how to train", "train {\n\t$0\n\\}"),
        keyword("sweep", "values to go through", "sweep {\n\t$0\n\\}"),
        keyword("let", "a name for a value", "let ${1:name} = $0"),
    ];
    if view.document.outline().items.is_empty() {
        found.extend(MODEL.fields.iter().filter(|field| field.name == table::FFN).flat_map(blocks));
    }
    found
}

fn models(view: &View) -> Vec<Proposal> {
    let names = names::models(view.document).into_iter();
    names.map(|name| Proposal::new(name, CompletionItemKind::Class, "a model of this file", "")).collect()
}

/// The fields that the item around a place has, behind the place too.
fn given(view: &View, site: &Site) -> Vec<String> {
    let outline = view.document.outline();
    let around = site.item.and_then(|item| outline.items.get(item));
    let names = around.iter().flat_map(|item| &item.parts).filter(|part| part.name.start != site.typed.start);
    names.map(|part| view.document.slice(part.name.clone()).to_owned()).collect()
}

fn fields(table: &'static Table, given: Vec<String>) -> Vec<Proposal> {
    let is_open = |field: &&Field| given.iter().all(|name| name != field.name);
    let required = |field: &&'static Field| table.default(field) != Default::Required;
    let mut open: Vec<&'static Field> = table.open().filter(is_open).collect();
    // What a block cannot be without comes first.
    open.sort_by_key(required);
    let one = |field: &'static Field| {
        let snippet = match field.name {
            LOOP => "loop[${1:0..1}] = $0".to_owned(),
            name => format!("{name} = $0"),
        };
        named(table, field).inserting(snippet)
    };
    open.into_iter().map(one).collect()
}

/// A field as a proposal.
fn named(table: &'static Table, field: &'static Field) -> Proposal {
    let detail = match (table.default(field), hover::default(table, field)) {
        (Default::Required, _) => "required".into(),
        (_, Some(default)) => format!("= {default}"),
        _ => String::new(),
    };
    Proposal::new(field.name, CompletionItemKind::Field, detail, hover::meaning(table, field))
}

fn arguments(view: &View, site: &Site, next: Option<&'static Field>) -> Vec<Proposal> {
    let mut found = next.map(|field| values(view, site, Some(field))).unwrap_or_default();
    let Some(call) = site.calls.last() else { return found };
    let mut seen = behind(view, site);
    for table in &call.tables {
        let is_open = |field: &&Field| !call.given.contains(&field.name);
        let mut open: Vec<&'static Field> = table.open().filter(is_open).collect();
        open.sort_by_key(|field| table.default(field) != Default::Required);
        for field in open {
            if !seen.contains(&field.name) {
                seen.push(field.name);
                found.push(named(table, field).inserting(format!("{}=$0", field.name)));
            }
        }
    }
    found
}

/// The fields that the brackets around a place have behind it.
fn behind(view: &View, site: &Site) -> Vec<&'static str> {
    let outline = view.document.outline();
    let at = site.typed.end;
    let innermost = |place: Range<usize>| outline.brackets_around(place).min_by_key(|range| range.len());
    let Some(inner) = innermost(at..at) else { return Vec::new() };
    let behind = outline.tokens.iter().filter(|token| at <= token.start && token.end < inner.end);
    let name = |token: &Token| match token.role {
        Role::Field(_, field) if innermost(token.start..token.end) == Some(inner) => Some(field.name),
        _ => None,
    };
    behind.filter_map(name).collect()
}

fn values(view: &View, site: &Site, field: Option<&'static Field>) -> Vec<Proposal> {
    let mut found = field.map(|field| of_kind(field, site.in_list)).unwrap_or_default();
    let outline = view.document.outline();
    // A value that is its own is none.
    let is_own = |item: &Item| item.range.start <= site.typed.start && site.typed.end <= item.range.end;
    let lets = outline.items.iter().filter(|item| item.kind == ItemKind::Let && !is_own(item));
    for item in lets {
        if let Some(name) = &item.name {
            let value = view.document.slice(name.end..item.range.end).trim_start_matches([' ', '=']);
            let name = view.document.slice(name.clone());
            found.push(Proposal::new(name, CompletionItemKind::Variable, value, ""));
        }
    }
    if field.is_none() {
        let mut words: BTreeMap<&str, Proposal> = BTreeMap::new();
        for table in table::all() {
            words.entry(table.word).or_insert_with(|| block(table));
        }
        found.extend(words.into_values());
    }
    found
}

/// What a field may hold, where that can be listed.
fn of_kind(field: &'static Field, in_list: bool) -> Vec<Proposal> {
    let word = |word: &'static str| {
        let said = reference::word(field.name, word).unwrap_or_default();
        Proposal::new(word, CompletionItemKind::EnumMember, field.name, said)
    };
    let mut found = match field.kind {
        Kind::Words(words) if !in_list => words().into_iter().chain(["true", "false"]).map(word).collect(),
        Kind::Word(words) | Kind::Words(words) => words().into_iter().map(word).collect(),
        Kind::Flag => ["true", "false"].map(word).into(),
        Kind::OptionalCount(_) => vec![word("none")],
        Kind::Block(_) => blocks(field),
        // None at all is an element of no list.
        Kind::Blocks(_) if field.default == Default::Word("none") && !in_list => {
            std::iter::once(word("none")).chain(blocks(field)).collect()
        }
        Kind::Blocks(_) => blocks(field),
        Kind::Name(..) => strings_of(field),
        _ => Vec::new(),
    };
    let default = hover::default(&MODEL, field).filter(|default| {
        matches!(field.kind, Kind::Count(_) | Kind::Counts(..) | Kind::Real(_) | Kind::Pair(_) | Kind::Amount)
            && found.iter().all(|one| one.label != *default)
    });
    found.extend(
        default.map(|default| Proposal::new(default, CompletionItemKind::Value, "when left out", "")),
    );
    found
}

fn blocks(field: &'static Field) -> Vec<Proposal> {
    field.tables().iter().map(block).collect()
}

/// A block with a stop for each field that it cannot be without.
fn block(table: &'static Table) -> Proposal {
    let required: Vec<&Field> =
        table.open().filter(|field| table.default(field) == Default::Required).collect();
    let stops = required.iter().enumerate().map(|(place, field)| {
        let is_bare = table.position(field.name).is_some_and(|at| at < table.bare);
        let key = if is_bare { String::new() } else { format!("{}=", field.name) };
        match field.kind {
            Kind::Text | Kind::Texts => format!("{key}\"${}\"", place + 1),
            _ => format!("{key}${}", place + 1),
        }
    });
    let stops: Vec<String> = stops.collect();
    let snippet = match (stops.is_empty(), table.open().next()) {
        (true, None) => table.word.to_owned(),
        (true, Some(_)) => format!("{}($0)", table.word),
        (false, _) => format!("{}({})$0", table.word, stops.join(", ")),
    };
    let said = reference::block(table).unwrap_or_default();
    Proposal::new(table.word, CompletionItemKind::Function, table.example, said).inserting(snippet)
}

/// What a string may be, with its quotes.
fn strings(site: &Site) -> Vec<Proposal> {
    let name = match &site.wants {
        Wants::Value(Some(field)) | Wants::Argument(Some(field)) => Some(*field),
        _ => None,
    };
    name.map(strings_of).unwrap_or_default()
}

fn strings_of(field: &'static Field) -> Vec<Proposal> {
    let Kind::Name(names, what) = field.kind else { return Vec::new() };
    let one = |name: &&str| Proposal::new(table::string(name), CompletionItemKind::Value, what, "");
    names.iter().map(one).collect()
}

/// Other specs, as this file names them.
fn specs(view: &View) -> Vec<Proposal> {
    let folder = view.document.path.parent().unwrap_or(Path::new(""));
    let mut search = Search::new(is_spec);
    search.below(folder, 4);
    let mut paths = search.found;
    paths.sort_by_key(|path| (path.components().count(), path.clone()));
    paths.truncate(200);
    let own = &view.document.one;
    let mut found = Vec::new();
    for path in paths {
        let Ok(short) = path.strip_prefix(folder) else { continue };
        let short = short.to_string_lossy().replace('\\', "/");
        if path.ends_with(SETTINGS) {
            found.push(spec(&short, "the settings of a published model"));
            continue;
        }
        let models = view.texts.at(&path).map(|document| names::models(&document)).unwrap_or_default();
        let is_own = view.texts.disk.canonical(&path) == *own;
        match models.as_slice() {
            [_, _, ..] => {
                found.extend(models.iter().map(|model| spec(&format!("{short}#{model}"), "a model")))
            }
            _ if is_own => {}
            _ => found.push(spec(&short, "a spec")),
        }
    }
    found.push(spec("CoE-2(4/64)", "the paper's notation"));
    found.push(spec("MoE(8/64)", "the paper's notation"));
    found
}

fn spec(path: &str, detail: &str) -> Proposal {
    Proposal::new(table::string(path), CompletionItemKind::File, detail, "")
}

fn figures(unit: Option<coec_ir::Unit>) -> Vec<Proposal> {
    let wanted = Figure::ALL.into_iter().filter(|figure| unit.is_none_or(|unit| figure.unit() == unit));
    let one = |figure: Figure| {
        let said = reference::figure(figure).unwrap_or_default();
        Proposal::new(figure.name(), CompletionItemKind::Property, figure.unit().word(), said)
    };
    wanted.map(one).collect()
}

/// What a rule begins with, and what may follow the one before.
fn rules() -> Vec<Proposal> {
    let keyword = |word, said| Proposal::new(word, CompletionItemKind::Keyword, said, "");
    let mut found = figures(None);
    found.push(keyword("warn", "a rule that only warns"));
    found.push(keyword("per layer", "the rule before, in every layer that has experts"));
    found.push(Proposal::new("+-", CompletionItemKind::Operator, "the rule before, within a tolerance", ""));
    found.push(Proposal::new("@", CompletionItemKind::Operator, "the rule before, under conditions", ""));
    found
}

fn comparisons() -> Vec<Proposal> {
    let all = [("<=", "at most"), (">=", "at least"), ("==", "equal, or within a tolerance: `== 1G +- 5%`")];
    all.map(|(mark, said)| Proposal::new(mark, CompletionItemKind::Operator, said, "")).into()
}

/// What a figure may be compared with: what it is now, other figures, and those of other specs.
fn targets(view: &View, figure: Option<Figure>) -> Vec<Proposal> {
    let Some(figure) = figure else { return figures(None) };
    let now = view.analysis.models.iter().filter_map(|model| {
        let value = model.cost().figure(figure)?;
        let detail = format!("what `{}` has now", model.spec.model.name);
        Some(Proposal::new(value.to_string(), CompletionItemKind::Value, detail, ""))
    });
    let mut found: Vec<Proposal> = now.collect();
    let of_other = format!("{}(\"...\")", figure.name());
    found.push(
        Proposal::new(of_other, CompletionItemKind::Function, "of another spec", "")
            .inserting(format!("{}(\"$1\")$0", figure.name())),
    );
    found.extend(figures(Some(figure.unit())).into_iter().filter(|one| one.label != figure.name()));
    found
}

fn conditions(figure: Option<Figure>) -> Vec<Proposal> {
    let is_open = |name: &&&str| **name != "backend" || figure.is_none_or(Figure::is_measured);
    let one = |name: &&str| {
        let said = reference::condition(name).unwrap_or_default();
        Proposal::new(*name, CompletionItemKind::Field, "", said).inserting(format!("{name}=$0"))
    };
    CONDITIONS.iter().filter(is_open).map(one).collect()
}

fn settings(name: &str) -> Vec<Proposal> {
    let words: Vec<&str> = match name {
        "precision" => Precision::ALL.iter().map(|one| one.word()).collect(),
        "recompute" => Recompute::ALL.iter().map(|one| one.word()).collect(),
        "shard" => Shard::ALL.iter().map(|one| one.word()).collect(),
        "backend" => BACKENDS.to_vec(),
        _ => Vec::new(),
    };
    let one = |word| {
        let said = reference::word(name, word).unwrap_or_default();
        Proposal::new(word, CompletionItemKind::EnumMember, name, said)
    };
    words.into_iter().map(one).collect()
}

/// Dotted names of fields, as `--set` and sweeps take them.
fn paths() -> Vec<Proposal> {
    let mut found = Vec::new();
    let mut add = |path: String, table: &'static Table, field: &'static Field| {
        let said = reference::field(table, field.name).unwrap_or_default();
        found.push(Proposal::new(path, CompletionItemKind::Property, "", said));
    };
    for (outer, prefix) in [(&MODEL, ""), (&TRAIN, "train.")] {
        for field in outer.open().filter(|field| field.name != LOOP) {
            if field.tables().is_empty() {
                add(format!("{prefix}{}", field.name), outer, field);
            }
            let mut seen = Vec::new();
            for table in field.tables() {
                for inner in table.open().filter(|inner| inner.tables().is_empty()) {
                    if !seen.contains(&inner.name) {
                        seen.push(inner.name);
                        add(format!("{prefix}{}.{}", field.name, inner.name), table, inner);
                    }
                }
            }
        }
    }
    found
}

/// What a sweep goes through.
fn axes() -> Vec<Proposal> {
    let fit = Proposal::new("fit", CompletionItemKind::Keyword, "a field that is solved for in each run", "");
    let seeds = Proposal::new("seeds", CompletionItemKind::Property, "so many of `train.seed`", "");
    let mut found = paths();
    found.push(fit.inserting("fit ${1:ffn.hidden} under $0"));
    found.push(seeds.inserting("seeds = $0"));
    found
}

/// What follows the name of a model.
fn head() -> Vec<Proposal> {
    let extends = Proposal::new("extends", CompletionItemKind::Keyword, "starts from another model", "");
    vec![extends.inserting("extends \"$1\" {\n\t$0\n\\}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_are_left_out_of_plain_text() {
        assert_eq!(plain("model ${1:name} {\n\t$0\n\\}"), "model name {\n\t\n}");
        assert_eq!(plain("coe(iter=$1, k=$2)$0"), "coe(iter=, k=)");
        assert_eq!(plain(&escaped("a$b\\c}")), "a$b\\c}");
    }
}
