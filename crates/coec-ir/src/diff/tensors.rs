//! Whether the weights of one model are weights of another.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;

use super::ranges::runs;
use crate::{Attention, Ffn, Model, Param, Sink, Site, Tensors, Verified, walk};

/// What becomes of a checkpoint of one model in another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loading {
    /// Tensors that the other model has and the checkpoint lacks.
    pub missing: Vec<Pattern>,
    /// Tensors of the checkpoint that the other model has no place for.
    pub surplus: Vec<Pattern>,
    /// Tensors whose shapes differ.
    pub misshapen: Vec<Pattern>,
}

/// Tensors with names of one pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// Their names; alternatives in braces, of ranges both ends:
    /// `model.layers.{0..3}.mlp.experts.{48..62}.{gate_proj,up_proj,down_proj}.weight`.
    pub names: String,
    /// How many there are.
    pub tensors: u128,
    /// For misshapen ones: the shape in the checkpoint, and the one that is wanted.
    pub shapes: Option<(Vec<usize>, Vec<usize>)>,
}

impl Loading {
    /// Whether every tensor has its place.
    pub fn succeeds(&self) -> bool {
        self.missing.is_empty() && self.surplus.is_empty() && self.misshapen.is_empty()
    }
}

/// What becomes of a checkpoint of `old` in `new`.
///
/// Layers of the same two kinds are compared once, so that it takes as long as the kinds are many.
pub fn loading(old: &Verified<Model>, new: &Verified<Model>) -> Loading {
    let mut found = Found::default();
    found.compare(&Part::of(old, None), &Part::of(new, None), None);
    let mut alike: BTreeMap<(Option<usize>, Option<usize>), Vec<usize>> = BTreeMap::new();
    let (before, after) = (old.layers.order(), new.layers.order());
    for layer in 0..before.len().max(after.len()) {
        alike.entry((before.get(layer).copied(), after.get(layer).copied())).or_default().push(layer);
    }
    let mut classes: Vec<Vec<usize>> = alike.into_values().collect();
    classes.sort_unstable();
    for layers in classes {
        let (old, new) = (Part::of(old, Some(layers[0])), Part::of(new, Some(layers[0])));
        found.compare(&old, &new, Some(&layers));
    }
    found.finish()
}

/// Tensors as they are found, by what is wrong with them.
#[derive(Default)]
struct Found {
    missing: Vec<Names>,
    surplus: Vec<Names>,
    misshapen: Vec<Names>,
}

impl Found {
    /// Compares the tensors of one part of two models, which stands for all `layers`.
    fn compare(&mut self, old: &Part, new: &Part, layers: Option<&[usize]>) {
        let shapes: HashMap<&str, &[usize]> =
            old.params().map(|param| (param.name.as_str(), param.shape.as_slice())).collect();
        let wanted: HashSet<&str> = new.params().map(|param| param.name.as_str()).collect();
        let (mut missing, mut surplus, mut misshapen) = (Vec::new(), Vec::new(), Vec::new());
        for param in new.params() {
            match shapes.get(param.name.as_str()) {
                None => missing.push(Names::of(&param.name, None)),
                Some(&shape) if shape != param.shape => {
                    let shapes = Some((shape.to_vec(), param.shape.clone()));
                    misshapen.push(Names::of(&param.name, shapes));
                }
                Some(_) => {}
            }
        }
        for param in old.params().filter(|param| !wanted.contains(param.name.as_str())) {
            surplus.push(Names::of(&param.name, None));
        }
        // Merged before they stand for all layers, so that thousands of names are never kept together.
        let everywhere = |names: Vec<Names>| merged(names).into_iter().map(|names| names.within(layers));
        self.missing.extend(everywhere(missing));
        self.surplus.extend(everywhere(surplus));
        self.misshapen.extend(everywhere(misshapen));
    }

    fn finish(self) -> Loading {
        let patterns = |names: Vec<Names>| merged(names).into_iter().map(Pattern::from).collect();
        Loading {
            missing: patterns(self.missing),
            surplus: patterns(self.surplus),
            misshapen: patterns(self.misshapen),
        }
    }
}

/// A set of names: for each component between dots, what it may be.
#[derive(Debug, Clone)]
struct Names {
    components: Vec<Vec<Component>>,
    shapes: Option<(Vec<usize>, Vec<usize>)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Component {
    Number(usize),
    Word(String),
}

impl Names {
    /// One name.
    fn of(name: &str, shapes: Option<(Vec<usize>, Vec<usize>)>) -> Self {
        let component = |text: &str| match text.parse() {
            Ok(number) => Component::Number(number),
            Err(_) => Component::Word(text.to_string()),
        };
        Self { components: name.split('.').map(|text| vec![component(text)]).collect(), shapes }
    }

    /// The same names of one layer in each of `layers`.
    fn within(mut self, layers: Option<&[usize]>) -> Self {
        if let (Some(layers), Some(place)) =
            (layers, self.components.get_mut(Site::LAYERS.split('.').count()))
        {
            *place = layers.iter().copied().map(Component::Number).collect();
        }
        self
    }
}

/// The same names in fewer sets: those that differ in one component become one.
fn merged(mut names: Vec<Names>) -> Vec<Names> {
    let longest = names.iter().map(|names| names.components.len()).max().unwrap_or(0);
    for place in (0..longest).rev() {
        let mut kept: Vec<Names> = Vec::new();
        let mut places: HashMap<_, usize> = HashMap::new();
        for mut set in names {
            let Some(open) = set.components.get_mut(place).map(std::mem::take) else {
                kept.push(set);
                continue;
            };
            let key = (set.components.clone(), set.shapes.clone());
            match places.get(&key) {
                Some(&at) => kept[at].components[place].extend(open),
                None => {
                    places.insert(key, kept.len());
                    set.components[place] = open;
                    kept.push(set);
                }
            }
        }
        names = kept;
    }
    names
}

impl From<Names> for Pattern {
    fn from(names: Names) -> Self {
        let tensors = names.components.iter().map(|component| component.len() as u128).product();
        let components: Vec<String> = names.components.iter().map(|all| alternatives(all)).collect();
        Self { names: components.join("."), tensors, shapes: names.shapes }
    }
}

/// `3`, `{0..3}`, `{gate_proj,up_proj}`: both ends of a range are in it.
fn alternatives(components: &[Component]) -> String {
    let (mut numbers, mut words) = (Vec::new(), Vec::new());
    for component in components {
        match component {
            Component::Number(number) => numbers.push(*number),
            Component::Word(word) => words.push(word.clone()),
        }
    }
    numbers.sort_unstable();
    let runs = runs(&numbers).into_iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}..{last}"),
    });
    let all: Vec<String> = runs.chain(words).collect();
    match all.as_slice() {
        [one] if components.len() == 1 => one.clone(),
        all => format!("{{{}}}", all.join(",")),
    }
}

/// The tensors of one layer, or those outside the layers.
struct Part {
    layer: Option<usize>,
    tensors: Tensors,
}

impl Part {
    fn of(model: &Verified<Model>, layer: Option<usize>) -> Self {
        let mut part = Self { layer, tensors: Tensors::default() };
        match walk(model, &mut part) {
            Ok(()) => part,
            Err(never) => match never {},
        }
    }

    fn params(&self) -> impl Iterator<Item = &Param> {
        self.tensors.trained.iter().chain(&self.tensors.state)
    }

    /// The collection, if it wants what stands in `layer`.
    fn at(&mut self, layer: Option<usize>) -> Option<&mut Tensors> {
        (self.layer == layer).then_some(&mut self.tensors)
    }
}

impl Sink for Part {
    type Error = Infallible;

    fn embedding(&mut self, model: &Model, name: &str) -> Result<(), Infallible> {
        self.at(None).map_or(Ok(()), |tensors| tensors.embedding(model, name))
    }

    fn attention(&mut self, model: &Model, site: &Site, block: &Attention) -> Result<(), Infallible> {
        self.at(Some(site.layer)).map_or(Ok(()), |tensors| tensors.attention(model, site, block))
    }

    fn ffn(&mut self, model: &Model, site: &Site, block: &Ffn) -> Result<(), Infallible> {
        self.at(Some(site.layer)).map_or(Ok(()), |tensors| tensors.ffn(model, site, block))
    }

    fn head(&mut self, model: &Model, norm: &str, head: Option<&str>) -> Result<(), Infallible> {
        self.at(None).map_or(Ok(()), |tensors| tensors.head(model, norm, head))
    }
}
