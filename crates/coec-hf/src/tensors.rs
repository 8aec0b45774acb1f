//! Which tensor of a folder is which tensor of the model.

use std::collections::HashMap;

use coec_ir::{Ffn, Model, Param, Tensors, Verified};

use crate::Family;
use crate::layout::{Joined, Layout, Member, Names, View};

/// A tensor of the folder, and those of the model that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Its name in the folder.
    pub hf: String,
    /// Its shape there.
    pub shape: Vec<usize>,
    /// What it is in the model: one tensor, or several that lie in it. Each element is one of one part.
    pub parts: Vec<Part>,
    /// Whether it is trained; selection biases are saved with the model, and are not.
    pub is_trained: bool,
}

/// A tensor of the model, in one of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name in the model.
    pub contract: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Where its numbers stand in the folder's tensor.
    pub view: View,
}

/// What every layer's tensors begin with, on both sides.
pub(crate) const LAYERS: &str = "model.layers.";

/// The layer that a tensor belongs to, and its name there.
pub(crate) fn within(name: &str) -> Option<(usize, &str)> {
    let (layer, inner) = name.strip_prefix(LAYERS)?.split_once('.')?;
    Some((layer.parse().ok()?, inner))
}

/// The tensors of `model` as folders of the family [store](Layout::Stored) them, in the order of the model.
pub fn tensors(model: &Verified<Model>, family: Family) -> Vec<Mapped> {
    tensors_as(model, family, Layout::Stored)
}

/// The same in a layout; in [`Layout::Stored`], where the family has no other.
pub fn tensors_as(model: &Verified<Model>, family: Family, layout: Layout) -> Vec<Mapped> {
    let names = family.names(layout);
    let canonical = family.canonical(model);
    let ffns: Vec<&Ffn> = canonical.layers.iter().map(|layer| &layer.ffn).collect();
    let Tensors { trained, state } = Tensors::of(model);
    let params = trained.into_iter().map(|param| (param, true));
    let params = params.chain(state.into_iter().map(|param| (param, false)));
    let mut listed = Listed::default();
    for (param, is_trained) in params {
        match joined(names, &param.name) {
            Some((hf, rule, kind, expert)) => listed.join(hf, rule, (kind, expert), param, is_trained),
            None => listed.push(hf_name(&param.name, names, &ffns), param, is_trained),
        }
    }
    listed.placed()
}

/// The folder's name of a tensor that stands alone.
fn hf_name(contract: &str, names: &Names, ffns: &[&Ffn]) -> String {
    let inside = within(contract).and_then(|(layer, inner)| Some((layer, inner, ffns.get(layer)?)));
    match inside {
        Some((layer, inner, ffn)) => format!("{LAYERS}{layer}.{}", (names.inside)(inner, ffn)),
        None => {
            names.outside.iter().find(|(ours, _)| *ours == contract).map_or(contract, |names| names.1).into()
        }
    }
}

/// What a tensor of the model is joined to: the folder's name, the rule, which of the rule's it is, its
/// expert.
fn joined(names: &'static Names, contract: &str) -> Option<(String, &'static Joined, usize, usize)> {
    let (layer, inner) = within(contract)?;
    let (pattern, expert) = pattern(inner);
    let rules = names.joined.iter();
    let (rule, kind) = rules.filter_map(|rule| Some((rule, rule.kind(&pattern)?))).next()?;
    Some((format!("{LAYERS}{layer}.{}", rule.name), rule, kind, expert))
}

/// A name with a star for the number of the expert, and that number; 0 where there is none.
fn pattern(inner: &str) -> (String, usize) {
    const EXPERTS: &str = "mlp.experts.";
    let split = || {
        let (expert, rest) = inner.strip_prefix(EXPERTS)?.split_once('.')?;
        Some((format!("{EXPERTS}*.{rest}"), expert.parse().ok()?))
    };
    split().unwrap_or_else(|| (inner.into(), 0))
}

/// Tensors of the folder in the making.
#[derive(Default)]
struct Listed {
    tensors: Vec<Mapped>,
    /// By the folder's name, those that several are joined to.
    joins: HashMap<String, Join>,
}

/// A tensor of the folder whose shape follows from its parts, once all are there.
struct Join {
    /// Its place in the list.
    at: usize,
    rule: &'static Joined,
    /// Of each part, its kind and its expert.
    parts: Vec<(usize, usize)>,
}

impl Listed {
    fn push(&mut self, hf: String, param: Param, is_trained: bool) {
        let view = View::whole(param.shape.iter().product());
        let shape = param.shape.clone();
        let parts = vec![Part { contract: param.name, shape: param.shape, view }];
        self.tensors.push(Mapped { hf, shape, parts, is_trained });
    }

    fn join(&mut self, hf: String, rule: &'static Joined, part: (usize, usize), param: Param, trained: bool) {
        match self.joins.get_mut(&hf) {
            Some(join) => {
                join.parts.push(part);
                let view = View::whole(0);
                let part = Part { contract: param.name, shape: param.shape, view };
                self.tensors[join.at].parts.push(part);
            }
            None => {
                let at = self.tensors.len();
                self.joins.insert(hf.clone(), Join { at, rule, parts: vec![part] });
                self.push(hf, param, trained);
            }
        }
    }

    /// The list, every part at its place.
    fn placed(self) -> Vec<Mapped> {
        let mut tensors = self.tensors;
        for Join { at, rule, parts } in self.joins.into_values() {
            let tensor = &mut tensors[at];
            let members = parts.iter().zip(&tensor.parts);
            let members: Vec<_> =
                members.map(|(&(kind, expert), part)| Member { kind, expert, shape: &part.shape }).collect();
            let (shape, views) = rule.layout(&members);
            tensor.shape = shape;
            for (part, view) in tensor.parts.iter_mut().zip(views) {
                part.view = view;
            }
        }
        tensors
    }
}
