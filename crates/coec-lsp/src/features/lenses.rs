//! What can be done with a model: its twin, a mixture of experts of equal FLOPs.

use std::collections::HashMap;

use coec_ir::table::{Tabled, Value};
use coec_ir::{ChainNorm, Coe, Ffn, Gate, Residual};
use coec_lang::outline::{Item, ItemKind, Outline};
use coec_lang::{MapLoader, fit, load_one};
use gen_lsp_types::{CodeLens, Command, TextEdit, Uri, WorkspaceEdit};
use serde::{Deserialize, Serialize};

use super::actions::FREE;
use super::names::Named;
use super::{View, edits_of, names, references};
use crate::analysis::Judged;

/// The command that inserts the twin of a model.
pub(crate) const TWIN: &str = "coec.insertTwin";

/// Which model it is to be the twin of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TwinParams {
    pub uri: gen_lsp_types::Uri,
    pub model: String,
}

/// How far the twin may be off.
const TOLERANCE: &str = "1%";

/// A lens over every model that has a chain.
pub(crate) fn of(view: &View) -> Vec<CodeLens> {
    let mut found = Vec::new();
    // A twin extends the model by the name of its file.
    if view.document.uri.scheme() != "file" {
        return found;
    }
    for model in view.analysis.models.iter().filter(|model| twin_block(model).is_some()) {
        let Some(item) = view.item_of(model) else { continue };
        let params = TwinParams { uri: view.document.uri.clone(), model: model.spec.model.name.clone() };
        let command = Command {
            title: "compare with MoE of equal FLOPs".into(),
            tooltip: Some("inserts a mixture whose experts are as wide as equal FLOPs allow, and the budget that holds the two to each other".into()),
            command: TWIN.into(),
            arguments: serde_json::to_value(params).ok().map(|params| vec![params]),
        };
        found.push(CodeLens::new(
            view.document.text.span(item.range.start..item.range.start),
            Some(command),
            None,
        ));
    }
    found
}

/// The mixture that calls as many experts at once as the chain of a model calls one after the other.
fn twin_block(model: &Judged) -> Option<Coe> {
    let Some(Ffn::Coe(chain)) = model.spec.base_ffn() else { return None };
    let k: usize = chain.k.iter().sum();
    // Layers that say otherwise say so of the twin too: a dense layer may, another chain would be no mixture.
    let layers = || model.spec.model.layers.iter().filter_map(|layer| layer.ffn.as_coe());
    let is_all = layers().any(|one| *one == chain) && layers().all(|one| *one == chain || one.iter == 1);
    let is_chain = chain.iter > 1 && k <= chain.experts && is_all;
    is_chain.then(|| Coe {
        iter: 1,
        k: vec![k],
        residual: Residual::Outer,
        gate: Gate::Independent,
        norm: ChainNorm::Once,
        ..chain
    })
}

/// The edit that inserts the fitted twin of a model behind everything; or why there is none.
pub(crate) fn twin(view: &View, name: &str) -> Result<WorkspaceEdit, String> {
    let model =
        view.analysis.model(name).ok_or_else(|| format!("there is no model `{name}` without errors"))?;
    let block =
        twin_block(model).ok_or_else(|| format!("`{name}` has no chain that a mixture could match"))?;
    let path = &view.document.path;
    let file = path.file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
    let twin = free_name(view, &format!("{name}_moe"));
    let is_alone = view.analysis.models.len() == 1;
    let base = model.spec.text_with_names();
    // What the file said of its one model it shall not say of two.
    let base = if is_alone { with_named_budgets(&base, name) } else { base };
    let own = coec_ir::table::string(&format!("{file}#{name}"));
    let usual = usual().ok_or("the usual mixture cannot be read")?;
    let of = |hidden: usize| {
        let block = shortest(&Coe { hidden, ..block.clone() }, &usual);
        let twin = format!(
            "/// `{name}` with its experts called at once, of equal FLOPs.\nmodel {twin} extends {own} {{\n    ffn = {block}\n}}\n\n\
             budget {twin} {{\n    flops.forward == flops.forward({own}) +- {TOLERANCE}\n}}\n"
        );
        // What was there keeps its layout.
        format!("{}\n\n{}", base.trim_end(), coec_lang::format(&file, &twin).unwrap_or(twin))
    };
    let draft = of(block.hidden);
    let loader = view.texts.loader_with(path, &draft);
    let whole = path.to_string_lossy();
    let spec = load_one(&format!("{whole}#{twin}"), &[], &loader).map_err(|errors| errors.to_string())?;
    let wanted = format!("flops.forward={whole}#{name}");
    let found =
        fit(&spec, &[FREE.into()], &[wanted], TOLERANCE, &loader).map_err(|error| error.to_string())?;
    let hidden = found.best.values.first().map(|(_, value)| *value).filter(|_| found.best.holds());
    let hidden = hidden.ok_or_else(|| format!("no width of experts comes within {TOLERANCE} of `{name}`"))?;
    let change = view.change_to(of(hidden)).ok_or("it is there already")?;
    let mut changes: HashMap<Uri, Vec<TextEdit>> = [(view.document.uri.clone(), vec![change])].into();
    if is_alone {
        changes.extend(references_with_names(view, name));
    }
    Ok(edits_of(view.texts, changes))
}

/// A text whose budgets without a name have that of its one model.
fn with_named_budgets(text: &str, name: &str) -> String {
    let is_unnamed = |item: &&Item| item.kind == ItemKind::Budget && item.name.is_none();
    let outline = Outline::of(text);
    let mut named = text.to_owned();
    for item in outline.items.iter().filter(is_unnamed).rev() {
        named.insert_str(item.range.start + "budget".len(), &format!(" {name}"));
    }
    named
}

/// The edits with which other files that name this one without saying which model still mean the one it had.
fn references_with_names(view: &View, name: &str) -> HashMap<Uri, Vec<TextEdit>> {
    let named = Named::Model(view.document.one.clone(), name.to_owned());
    let mut changes = HashMap::new();
    for document in references::files(view, &named) {
        if document.one == view.document.one {
            continue;
        }
        let all = names::all(view.texts, &document).into_iter();
        let unsaid = all.filter(|one| one.named == named && one.name.is_empty());
        let edits: Vec<_> =
            unsaid.map(|one| TextEdit::new(document.text.span(one.name), format!("#{name}"))).collect();
        if !edits.is_empty() {
            changes.insert(document.uri.clone(), edits);
        }
    }
    changes
}

/// A mixture that says nothing but what it must.
fn usual() -> Option<Coe> {
    let files = MapLoader::new().with("usual.coe", "moe(k=1, experts=1)");
    match load_one("usual.coe", &[], &files).ok()?.base_ffn()? {
        Ffn::Coe(usual) => Some(usual),
        Ffn::Dense(_) => None,
    }
}

/// A mixture as people write it: what it must say, and what differs from the usual one.
fn shortest(mixture: &Coe, usual: &Coe) -> String {
    let (block, usual) = (mixture.block(), usual.block());
    let is_said = |name: &str| ["k", "experts", "hidden"].contains(&name);
    let is_usual =
        |name: &str, value: &Value| usual.fields().any(|(other, known)| other == name && known == value);
    let decided = ["iter", "residual", "gate", "norm"];
    let fields = block
        .fields()
        .filter(|(name, value)| !decided.contains(name) && (is_said(name) || !is_usual(name, value)));
    let fields: Vec<String> = fields
        .map(|(name, value)| match (name, value) {
            ("k", Value::List(all)) if all.len() == 1 => format!("k={}", all[0]),
            _ => format!("{name}={value}"),
        })
        .collect();
    format!("moe({})", fields.join(", "))
}

/// A name that no model of the document has.
fn free_name(view: &View, wanted: &str) -> String {
    let taken = names::models(view.document);
    let numbered = (2..).map(|number| format!("{wanted}_{number}"));
    let mut tried = std::iter::once(wanted.to_owned()).chain(numbered);
    tried.find(|name| !taken.contains(name)).unwrap_or_else(|| wanted.to_owned())
}
