//! What a token means, and what it comes to.

use std::ops::Range as Bytes;
use std::path::Path;

use coec_ir::table::{Default, FFN, Field, Kind, Table};
use coec_ir::{Figure, Quantity, Unit, grouped, short};
use coec_lang::is_notation;
use coec_lang::outline::{ItemKind, Role, Token, field_of_path};
use gen_lsp_types::{Contents, Hover};

use super::hints::{share_of, share_text, value};
use super::names::{self, Named};
use super::{View, brief, exact, markdown};
use crate::analysis::{Analysis, Judged, cost_of};
use crate::reference;

/// What there is to say of the token at a byte.
pub(crate) fn at(view: &View, at: usize) -> Option<Hover> {
    let token = *view.document.outline().token_at(at)?;
    let text = view.document.slice(token.start..token.end);
    let said = match token.role {
        Role::Field(table, field) => field_text(view, &token, table, field),
        Role::Block(table) => block_text(view, &token, table),
        Role::Word(field) => {
            let said = reference::word(field.name, text).or_else(|| reference::word(text, text));
            format!("**`{text}`**, a value of `{}`\n\n{}", field.name, said.unwrap_or_default())
        }
        Role::Figure(figure) => figure_text(view, &token, figure),
        Role::Path => path_text(text)?,
        Role::Condition => format!("**`{text}`**, a condition\n\n{}", reference::condition(text)?),
        Role::Model { .. } => model_text(view.analysis.model(text)?),
        Role::Let { .. } => let_text(view, text)?,
        Role::Spec => spec_text(view, at)?,
        Role::Number => said_of_number(view, &token, text)?,
        Role::Keyword => keyword_text(text)?.to_owned(),
        _ => return None,
    };
    let range = view.document.text.span(token.start..token.end);
    Some(Hover::new(Contents::MarkupContent(markdown(said)), Some(range)))
}

/// What the field of a dotted name means.
fn path_text(path: &str) -> Option<String> {
    let (table, field) = field_of_path(path)?;
    Some(format!("**`{path}`**\n\n{}", meaning(table, field)))
}

fn field_text(view: &View, token: &Token, table: &'static Table, field: &'static Field) -> String {
    let mut text = format!("**`{}`** of `{}`\n\n{}", field.name, table.word, meaning(table, field));
    if let Some(more) = one_more(view, token, field) {
        text.push_str(&format!("\n\n{more}"));
    }
    text
}

/// What a field means, what it holds, and what it holds when left out.
pub(crate) fn meaning(table: &'static Table, field: &'static Field) -> String {
    let said = reference::field(table, field.name).unwrap_or_default();
    let words = match field.kind {
        Kind::Word(words) => words(),
        _ => Vec::new(),
    };
    // A row that lists the words need not be followed by their list.
    let is_listed = !words.is_empty() && words.iter().all(|word| said.contains(&format!("`{word}`")));
    match holds(table, field).split_once("; ").filter(|_| is_listed) {
        Some((_, rest)) => format!("{said}; {rest}"),
        None => format!("{said}  \n{}", holds(table, field)),
    }
}

/// What a field holds, between which bounds, and what it holds when left out.
fn holds(table: &'static Table, field: &'static Field) -> String {
    let what = match field.kind {
        Kind::Count(bounds) => format!("a whole number, {} to {}", number(bounds.min), number(bounds.max)),
        Kind::OptionalCount(bounds) => {
            format!("a whole number, {} to {}, or `none`", number(bounds.min), number(bounds.max))
        }
        Kind::Counts(bounds, per) => format!(
            "a whole number, {} to {}, or a list with one for each of `{per}`",
            number(bounds.min),
            number(bounds.max)
        ),
        Kind::Real(bounds) => format!("a number, {} to {}", number(bounds.min), number(bounds.max)),
        Kind::Pair(_) => "a list of two numbers".into(),
        Kind::Reals(_) => "a list of numbers".into(),
        Kind::Amount => "a number of steps, or a share of them".into(),
        Kind::Flag => "`true` or `false`".into(),
        Kind::Text => "a string".into(),
        Kind::Texts => "a string, or a list of them".into(),
        Kind::Name(names, _) => {
            names.iter().map(|name| format!("`\"{name}\"`")).collect::<Vec<_>>().join(", ")
        }
        Kind::Word(words) => listed(&words()),
        Kind::Words(words) => format!("a list of {}, or `true` or `false`", listed(&words())),
        Kind::Block(tables) | Kind::Blocks(tables) => {
            tables.iter().map(|table| format!("`{}(...)`", table.word)).collect::<Vec<_>>().join(", ")
        }
    };
    match (table.default(field), default(table, field)) {
        (Default::Required, _) => format!("Holds {what}; required"),
        (_, Some(default)) => format!("Holds {what}; when left out: `{default}`"),
        (Default::Like(other), _) => format!("Holds {what}; when left out: as `{other}`"),
        (Default::Share(whole, parts), _) => format!("Holds {what}; when left out: `{whole} / {parts}`"),
        (Default::OfModel(field), _) => format!("Holds {what}; when left out: the model's `{field}`"),
        _ => format!("Holds {what}; may be left out"),
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// A bound as people write it.
fn number(bound: f64) -> String {
    if bound.fract() == 0.0 && bound.abs() < 1e9 { grouped(bound as i64) } else { format!("{bound:e}") }
}

/// What a field holds when left out, as it would be written.
pub(crate) fn default(table: &'static Table, field: &'static Field) -> Option<String> {
    Some(match table.default(field) {
        Default::Count(n) | Default::CountUnless(n, _) => n.to_string(),
        Default::Real(x) => format!("{x:?}"),
        Default::Pair([a, b]) => format!("[{a:?}, {b:?}]"),
        Default::Steps(share) => format!("{}%", 100.0 * share),
        Default::Flag(flag) => flag.to_string(),
        Default::Text(text) => coec_ir::table::string(text),
        Default::Word(word) => match field.tables().iter().any(|table| table.word == word) {
            true => format!("{word}()"),
            false => word.into(),
        },
        Default::Preset(word, fields) => {
            let fields: Vec<_> = fields.iter().map(|(name, x)| format!("{name}={x:?}")).collect();
            format!("{word}({})", fields.join(", "))
        }
        _ => return None,
    })
}

/// What one more of a field's number would change of the model around it.
fn one_more(view: &View, token: &Token, field: &'static Field) -> Option<String> {
    let path = path_of(view, token, field)?;
    let model = view.model_at(token.start)?;
    let now = model.spec.count(&path)?;
    let more = model.spec.with(&[(&path, now + 1)])?;
    let (before, after) = (model.cost(), cost_of(&more));
    let change = |figure: Figure| {
        let (old, new) = (value(before, figure), value(&after, figure));
        let sign = if new < old { "-" } else { "+" };
        let share = if old == 0.0 { String::new() } else { format!(", {:+.2}%", 100.0 * (new / old - 1.0)) };
        let change = match new == old {
            true => "equal".to_owned(),
            false => format!("{sign}{}{share}", short((new - old).abs(), figure.unit())),
        };
        [format!("`{}`", figure.name()), change]
    };
    let figures =
        [Figure::ParamsTotal, Figure::ParamsActive, Figure::FlopsForward, Figure::ExpertsCalls].map(change);
    let table = super::table(["figure", "change"], &figures);
    Some(format!("One more, `{path} = {}`:\n\n{table}", now + 1))
}

/// The dotted name of a field that holds for all layers, of a model's head or directly inside its feed-forward block or
/// its attention.
fn path_of(view: &View, token: &Token, field: &'static Field) -> Option<String> {
    let outline = view.document.outline();
    let item = &outline.items[outline.item_at(token.start)?];
    if item.kind == ItemKind::Block {
        return (depth(view, item.range.clone(), token) == 1).then(|| format!("{FFN}.{}", field.name));
    }
    let part =
        item.parts.iter().find(|part| part.range.start <= token.start && token.end <= part.range.end)?;
    if item.kind != ItemKind::Model {
        return None;
    }
    if part.name.start == token.start {
        return Some(field.name.to_owned());
    }
    // A name with an index is an override, which no dotted name reaches.
    let name = view.document.slice(part.name.clone());
    let is_plain = names::is_name(name) && depth(view, part.name.end..part.range.end, token) == 1;
    is_plain.then(|| format!("{name}.{}", field.name))
}

/// How many brackets of a piece are around a token in it.
fn depth(view: &View, piece: Bytes<usize>, token: &Token) -> usize {
    let around = view.document.outline().brackets_around(token.start..token.end);
    around.filter(|range| range.start >= piece.start).count()
}

fn block_text(view: &View, token: &Token, table: &'static Table) -> String {
    let said = reference::block(table).unwrap_or_default();
    let mut text = format!("**`{}`**\n\n{said}", table.word);
    let models =
        view.analysis.models.iter().flat_map(|model| model.fields().iter().map(move |field| (model, field)));
    for (model, field) in models {
        let is_here = view.range_of(&field.at).is_some_and(|range| {
            // The block itself, and not one inside of it.
            range.contains(&token.start) && depth(view, range, token) == 0
        });
        if is_here {
            text.push_str(&format!("\n\n{}", figures_of_field(model, field)));
        }
    }
    text
}

fn figures_of_field(model: &Judged, field: &coec_lang::LayerField) -> String {
    let share = share_of(&model.spec.model, field);
    let layers = coec_ir::counted(field.layers.len(), "layer");
    let mut text = format!(
        "In {layers} of `{}`: {} parameters, {} FLOPs a token; {}",
        model.spec.model.name,
        grouped(share.params),
        grouped(share.flops),
        share_text(share, model.cost())
    );
    let first = field.layers.first().map(|&layer| (layer, model.spec.model.layers.order()[layer]));
    if let Some((layer, kind)) = first.filter(|_| !field.is_attention)
        && let Some(chain) = model.spec.model.layers.kinds()[kind].ffn.as_coe()
    {
        let passes = model.spec.model.layers.times(layer);
        let calls = chain.calls() * passes as u128;
        let paths = brief(&Quantity::integer(chain.paths()), Unit::Paths);
        text.push_str(&format!("\n\nA token calls {calls} experts in each, on one of {} paths", paths));
        if passes > 1 {
            text.push_str(&format!(" in each of {passes} passes"));
        }
    }
    text
}

fn figure_text(view: &View, token: &Token, figure: Figure) -> String {
    let said = reference::figure(figure).unwrap_or_default();
    let mut text = format!("**`{}`**, {}\n\n{said}", figure.name(), figure.unit().word());
    let of = |model: &Judged| {
        let value = model.cost().figure(figure)?;
        Some([format!("`{}`", model.spec.model.name), exact(value)])
    };
    let rows: Vec<_> = view.analysis.models.iter().filter_map(of).collect();
    if !rows.is_empty() {
        text.push_str(&format!("\n\n{}", super::table(["model", figure.unit().word()], &rows)));
    }
    // What its own rules read is counted in their conditions.
    let rules = view.analysis.models.iter().flat_map(|model| &model.verdicts);
    let here = rules.filter(|verdict| {
        verdict.rule.figure == figure
            && view.range_of(&verdict.at).is_some_and(|range| range.contains(&token.start))
    });
    for verdict in here {
        let actual = verdict.readings.first().and_then(|reading| reading.actual.as_ref()?.to_integer());
        if let Some(actual) = actual {
            text.push_str(&format!("\n\nHere, `{}` is {}", verdict.at.text, exact(actual)));
        }
    }
    text
}

/// The figures of a model that people look at first.
pub(crate) fn model_text(model: &Judged) -> String {
    let own = &model.spec.model;
    let about = if own.doc.is_empty() { String::new() } else { format!("\n\n{}", own.doc) };
    let cost = model.cost();
    let row = |(figure, value): (Figure, _)| {
        let value = brief(&Quantity::integer(value), figure.unit());
        [format!("`{}`", Figure::name(figure)), value, figure.unit().word().into()]
    };
    let rows: Vec<_> = cost.figures().map(row).collect();
    format!(
        "**`{}`**, {} of width {}, context {}{about}\n\n{}",
        own.name,
        coec_ir::counted(own.layers.len(), "layer"),
        grouped(own.dim),
        grouped(own.context),
        super::table(["figure", "", ""], &rows),
    )
}

fn let_text(view: &View, name: &str) -> Option<String> {
    let items = view.document.outline().items.iter();
    let is_it =
        |range: &Option<Bytes<usize>>| range.clone().is_some_and(|range| view.document.slice(range) == name);
    let item = items.clone().find(|item| item.kind == ItemKind::Let && is_it(&item.name))?;
    Some(format!("```coe\n{}\n```", view.document.slice(item.range.clone())))
}

/// The models of the spec that is named.
fn spec_text(view: &View, at: usize) -> Option<String> {
    let Some(found) = names::at(view.texts, view.document, at) else { return notation_text(view, at) };
    let named = found.named;
    let (path, wanted) = match &named {
        Named::Model(path, name) => (path, Some(name)),
        Named::File(path) => (path, None),
        Named::Let(_) => return None,
    };
    let document = view.texts.at(path)?;
    let analysis = Analysis::of(view.texts, &document.path);
    let models =
        analysis.models.iter().filter(|model| wanted.is_none_or(|name| model.spec.model.name == *name));
    let texts: Vec<String> = models.take(4).map(model_text).collect();
    if texts.is_empty() {
        return Some(format!("`{}`", document.path.display()));
    }
    Some(texts.join("\n\n---\n\n"))
}

/// The model of the paper's notation.
fn notation_text(view: &View, at: usize) -> Option<String> {
    let token = view.document.outline().token_at(at)?;
    let inner = view.document.slice(token.start..token.end).trim_matches('"');
    let analysis = is_notation(inner).then(|| Analysis::of(view.texts, Path::new(inner)))?;
    analysis.models.first().map(model_text)
}

/// What a number is, and the field that it is the value of.
fn said_of_number(view: &View, token: &Token, text: &str) -> Option<String> {
    let tokens = &view.document.outline().tokens;
    let place = tokens.partition_point(|other| other.start < token.start);
    let field = match place.checked_sub(2).map(|first| &tokens[first..place]) {
        Some([name, mark]) if matches!(mark.role, Role::Mark) => match name.role {
            Role::Field(table, field) => Some(field_text(view, name, table, field)),
            _ => None,
        },
        _ => None,
    };
    let said: Vec<String> = number_text(text).into_iter().chain(field).collect();
    (!said.is_empty()).then(|| said.join("\n\n"))
}

/// A number with a unit, written out.
fn number_text(text: &str) -> Option<String> {
    let quantity = Quantity::parse(text).ok()?;
    let whole = quantity.to_integer().map(grouped)?;
    let bytes = if quantity.is_bytes() { " bytes" } else { "" };
    (text.bytes().any(|byte| !byte.is_ascii_digit()) && !quantity.is_percent())
        .then(|| format!("`{text}` is {whole}{bytes}"))
}

fn keyword_text(word: &str) -> Option<&'static str> {
    Some(match word {
        "model" => "**`model NAME { ... }`** declares a model: fields are `name = value`.",
        "extends" => {
            "**`extends \"PATH\"`** starts from the fields of another model and gives those that differ."
        }
        "budget" => {
            "**`budget { ... }`** holds for every model of the file, `budget NAME { ... }` for one. A line compares a figure with a number, a figure, or a figure of another spec."
        }
        "train" => "**`train { ... }`** says how to train. What it leaves out has its default.",
        "sweep" => "**`sweep { ... }`** has the values that `coec sweep` goes through.",
        "let" => "**`let NAME = value`** names a value for the rest of the file, before or after.",
        "warn" => "**`warn`** turns a violation into a warning, which changes no exit code.",
        "per" | "layer" => {
            "**`per layer`**: the rule holds in every layer that has experts, rather than in sum."
        }
        "every" => "**`[every 2]`** is layers 0, 2, 4, ...",
        "with" => "**`with FIELD = ...`** gives a field that follows from others.",
        "fit" | "under" => "**`fit FIELD under RULE`** solves for a field in each run.",
        _ => return None,
    })
}
