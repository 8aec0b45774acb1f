//! One file, read and indexed by name.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use coec_ir::table;

use crate::ast::{Budget, File, Model, Name, Sweep, Train, Value, ValueKind};
use crate::diagnostic::Found;
use crate::error::{ForeignError, ParseError, ResolveError};
use crate::source::SourceId;

/// A file with its models and values by name.
#[derive(Debug)]
pub(crate) struct Unit {
    /// Where it came from; `None` for a model in the paper's notation.
    pub path: Option<PathBuf>,
    /// How messages name it.
    pub name: String,
    pub source: SourceId,
    pub models: Vec<Model>,
    by_name: HashMap<String, usize>,
    pub budgets: Vec<Budget>,
    pub trains: Vec<Train>,
    pub sweeps: Vec<Sweep>,
    lets: Vec<Binding>,
    lets_by_name: HashMap<String, usize>,
    /// Words of the language that a let took for its name.
    shadowed: HashSet<String>,
    /// Whether there are items that could not be read at all, whose names nobody knows.
    pub broken: bool,
    /// Whether nothing is wrong with the shape and the names of the file.
    pub sound: bool,
    /// What is worth knowing of a file in another language.
    pub remarks: Vec<ForeignError>,
}

#[derive(Debug)]
struct Binding {
    name: Name,
    value: Value,
    /// How many values it brings where it is used.
    size: usize,
    /// The let whose value this one is in the end, when it is only another name.
    target: usize,
}

impl Unit {
    /// Indexes a file, reporting names that clash.
    pub fn new(path: Option<PathBuf>, name: String, source: SourceId, file: File, found: &mut Found) -> Self {
        let File { mut models, budgets, trains, sweeps, lets, blocks, broken } = file;
        let alone = !broken
            && models.is_empty()
            && budgets.is_empty()
            && trains.is_empty()
            && sweeps.is_empty()
            && lets.is_empty();
        let several = blocks.len() > 1;
        for block in blocks {
            if alone && !several {
                models.push(bare_model(&name, block));
            } else if !broken && let ValueKind::Word(word) = &block.value.kind {
                found.push(ParseError::BlockNotAlone { word: word.name.text.clone(), at: word.name.span });
            }
        }
        let mut unit = Self {
            path,
            name,
            source,
            models,
            by_name: HashMap::new(),
            budgets,
            trains,
            sweeps,
            lets: Vec::with_capacity(lets.len()),
            lets_by_name: HashMap::new(),
            shadowed: HashSet::new(),
            broken,
            sound: true,
            remarks: Vec::new(),
        };
        for (i, model) in unit.models.iter().enumerate() {
            let name = &model.name;
            match unit.by_name.get(&name.text) {
                Some(&first) => found.push(ResolveError::DuplicateModel {
                    name: name.text.clone(),
                    first: unit.models[first].name.span,
                    at: name.span,
                }),
                None => {
                    unit.by_name.insert(name.text.clone(), i);
                }
            }
        }
        for binding in lets {
            unit.add_let(binding, found);
        }
        unit.resolve_lets(found);
        unit
    }

    /// The place of a model.
    pub fn model(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The value of a let, with how many values that are.
    pub fn binding(&self, name: &str) -> Option<(&Value, usize)> {
        let target = self.lets[*self.lets_by_name.get(name)?].target;
        let binding = &self.lets[target];
        Some((&binding.value, binding.size))
    }

    /// The values of the lets.
    pub fn let_values(&self) -> impl Iterator<Item = &Value> {
        self.lets.iter().map(|binding| &binding.value)
    }

    /// The names of the lets.
    pub fn bindings(&self) -> impl Iterator<Item = &str> {
        self.lets.iter().map(|binding| binding.name.text.as_str())
    }

    /// Whether a name may be that of a let which errors left without a value.
    pub fn may_be_lost(&self, name: &str) -> bool {
        self.shadowed.contains(name) || self.broken && !table::is_word(name)
    }

    fn add_let(&mut self, binding: crate::ast::Let, found: &mut Found) {
        let crate::ast::Let { name, value } = binding;
        if table::is_word(&name.text) {
            self.shadowed.insert(name.text.clone());
            found.push(ResolveError::LetShadowsWord { name: name.text, at: name.span });
            return;
        }
        if let Some(&first) = self.lets_by_name.get(&name.text) {
            let first = self.lets[first].name.span;
            found.push(ResolveError::DuplicateLet { name: name.text, first, at: name.span });
            return;
        }
        let place = self.lets.len();
        self.lets_by_name.insert(name.text.clone(), place);
        self.lets.push(Binding { size: value.size(), name, value, target: place });
    }

    /// Finds for each let the one it stands for in the end, and reports circles.
    /// An explicit stack, because a file can hold a chain of tens of thousands.
    fn resolve_lets(&mut self, found: &mut Found) {
        let uses: Vec<Vec<usize>> = self.lets.iter().map(|binding| self.names_in(&binding.value)).collect();
        let mut state = vec![State::New; self.lets.len()];
        let mut broken = Vec::new();
        for start in 0..self.lets.len() {
            let mut path = vec![(start, 0)];
            if state[start] != State::New {
                continue;
            }
            state[start] = State::Open;
            while let Some((node, next)) = path.last_mut() {
                let node = *node;
                let Some(&used) = uses[node].get(*next) else {
                    state[node] = State::Done;
                    if let Some(target) = self.alias(node) {
                        self.lets[node].target = self.lets[target].target;
                    }
                    path.pop();
                    continue;
                };
                *next += 1;
                match state[used] {
                    State::New => {
                        state[used] = State::Open;
                        path.push((used, 0));
                    }
                    State::Open => {
                        found.push(self.circle(&path, used));
                        broken.push(used);
                    }
                    State::Done => {}
                }
            }
        }
        // A let in a circle has no value.
        for node in broken {
            self.lets[node].target = node;
            self.lets[node].value.kind = ValueKind::Unknown;
        }
    }

    fn circle(&self, path: &[(usize, usize)], back_to: usize) -> ResolveError {
        let from = path.iter().position(|(node, _)| *node == back_to).unwrap_or(0);
        let mut names: Vec<_> =
            path[from..].iter().map(|(node, _)| crate::suggest::shown(&self.lets[*node].name.text)).collect();
        if names.len() > 8 {
            names.truncate(8);
            names.push("...".into());
        }
        let name = &self.lets[back_to].name;
        names.push(name.text.clone());
        ResolveError::LetCycle { name: name.text.clone(), chain: names.join(" -> "), at: name.span }
    }

    /// The let that `node` is merely another name of.
    fn alias(&self, node: usize) -> Option<usize> {
        match &self.lets[node].value.kind {
            ValueKind::Word(word) if word.args.is_none() => self.lets_by_name.get(&word.name.text).copied(),
            _ => None,
        }
    }

    /// The lets used in a value.
    fn names_in(&self, value: &Value) -> Vec<usize> {
        match &value.kind {
            ValueKind::Number(_) | ValueKind::Text(_) | ValueKind::Unknown => Vec::new(),
            ValueKind::List(values) => values.iter().flat_map(|value| self.names_in(value)).collect(),
            ValueKind::Word(word) => match &word.args {
                None => self.lets_by_name.get(&word.name.text).copied().into_iter().collect(),
                Some(args) => args.iter().flat_map(|arg| self.names_in(&arg.value)).collect(),
            },
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

/// The model of a file that is nothing but a block.
fn bare_model(file: &str, block: crate::ast::BareBlock) -> Model {
    let at = block.value.head();
    let field = crate::ast::Field {
        name: Name { text: table::FFN.into(), span: at },
        index: None,
        value: block.value,
    };
    let name = Name { text: stem(file), span: at };
    Model { doc: block.doc, name, extends: None, fields: vec![field], broken: false }
}

/// A file's name without folders and extension, as an identifier.
pub fn stem(file: &str) -> String {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let name = name.strip_suffix(".coe").unwrap_or(name);
    let mut stem: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if !stem.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        stem.insert(0, '_');
    }
    stem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_are_identifiers() {
        assert_eq!(stem("specs/coe2_4_64.coe"), "coe2_4_64");
        assert_eq!(stem("a b-c.coe"), "a_b_c");
        assert_eq!(stem("2x.coe"), "_2x");
        assert_eq!(stem(""), "_");
    }
}
