//! Reads files, each once, and follows the names of specs from one to another.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coec_ir::{Model, Verified};

use crate::ast::{File, Name};
use crate::diagnostic::Found;
use crate::error::{ForeignError, Problem, ReadError, ResolveError};
use crate::foreign::{Remark, Translated, is_json};
use crate::loader::{Loader, normal};
use crate::notation;
use crate::parse;
use crate::read;
use crate::resolve::model::Draft;
use crate::resolve::{Cx, Fuel};
use crate::scopes::{ModelRef, Scopes};
use crate::source::{SourceId, Sources, Span};
use crate::suggest;
use crate::unit::Unit;

/// Models that may extend each other in a row.
const MAX_EXTENDS: usize = 64;

/// What was read, to go on with later.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Rules for which a value that would meet them was searched; see `check`.
    pub searched: usize,
    pub sources: Sources,
    pub scopes: Scopes,
    units: HashMap<PathBuf, Cached>,
    /// Models that budgets of other specs name, by the text that names them and where it stands.
    targets: HashMap<(String, SourceId), Arc<Verified<Model>>>,
}

/// A file that was read before.
#[derive(Debug)]
struct Cached {
    /// What could be read of it.
    unit: Option<Arc<Unit>>,
    /// What is wrong with it, to be said again to whoever names it.
    problems: Vec<Problem>,
}

/// Reading: what is known, where more comes from, and what is wrong.
pub(crate) struct Session<'l> {
    loader: &'l dyn Loader,
    pub memory: Memory,
    pub found: Found,
}

impl<'l> Session<'l> {
    /// A session that goes on where another stopped.
    pub fn new(loader: &'l dyn Loader, memory: Memory) -> Self {
        Self { loader, memory, found: Found::default() }
    }

    /// What resolving reads and reports to.
    pub fn cx<'s>(&'s mut self, fuel: &'s mut Fuel) -> Cx<'s> {
        Cx { scopes: &self.memory.scopes, found: &mut self.found, fuel }
    }

    /// The verified model that a budget rule names.
    pub fn target(&mut self, text: &str, at: Span) -> Option<Arc<Verified<Model>>> {
        let key = (text.to_string(), at.source);
        if let Some(model) = self.memory.targets.get(&key) {
            return Some(model.clone());
        }
        let dir = self.memory.sources.get(at.source).dir.clone();
        let model = self.model(text, &dir, at)?;
        let chain = self.ancestry(model)?;
        if !chain.iter().all(|model| model.unit.sound) {
            return None;
        }
        let draft = Draft::new(chain);
        let model = Arc::new(self.cx(&mut Fuel::default()).model(&draft).model?);
        self.memory.targets.insert(key, model.clone());
        Some(model)
    }

    /// The unit of a spec path, and the model named behind `#`.
    ///
    /// `at` is where the path stands; relative paths start at `dir`.
    pub fn spec(&mut self, text: &str, dir: &Path, at: Span) -> Option<(Arc<Unit>, Option<usize>)> {
        if notation::is_notation(text) {
            return Some((self.notation(text)?, Some(0)));
        }
        let (path, name) = split_name(text);
        let unit = self.unit(path, dir, at)?;
        let Some(name) = name else { return Some((unit, None)) };
        match unit.model(name) {
            Some(index) => Some((unit, Some(index))),
            // It may be one of those that could not be read.
            None if unit.broken => None,
            None => {
                self.found.push(unknown_model(&unit, name, at));
                None
            }
        }
    }

    /// The one model a spec path means.
    pub fn model(&mut self, text: &str, dir: &Path, at: Span) -> Option<ModelRef> {
        let (unit, index) = self.spec(text, dir, at)?;
        match index {
            Some(index) => Some(ModelRef { unit, index }),
            None if unit.models.len() == 1 => Some(ModelRef { unit, index: 0 }),
            // Which models there are is not known.
            None if unit.broken || unit.models.is_empty() => None,
            None => {
                let names = unit.models.iter().map(|model| model.name.text.clone()).collect();
                self.found.push(ResolveError::SeveralModels { path: unit.name.clone(), names, at });
                None
            }
        }
    }

    /// A model and those it extends, the root first.
    pub fn ancestry(&mut self, model: ModelRef) -> Option<Vec<ModelRef>> {
        let mut chain = vec![model];
        let mut seen: HashSet<(SourceId, usize)> = HashSet::new();
        while let Some(last) = chain.last() {
            seen.insert((last.unit.source, last.index));
            let Some(extends) = &last.model().extends else { break };
            let (text, at) = (extends.text.clone(), extends.span);
            let dir = self.memory.sources.get(last.unit.source).dir.clone();
            let next = self.model(&text, &dir, at)?;
            if seen.contains(&(next.unit.source, next.index)) {
                self.found.push(ResolveError::ExtendsCycle { chain: circle(&chain, &next), at });
                return None;
            }
            if chain.len() > MAX_EXTENDS {
                self.found.push(ResolveError::ExtendsTooDeep { limit: MAX_EXTENDS, at });
                return None;
            }
            chain.push(next);
        }
        chain.reverse();
        Some(chain)
    }

    fn unit(&mut self, path: &str, dir: &Path, at: Span) -> Option<Arc<Unit>> {
        let named = dir.join(path);
        let key = self.loader.canonical(&named);
        if let Some(cached) = self.memory.units.get(&key) {
            cached.problems.iter().for_each(|problem| self.found.push(problem.clone()));
            return cached.unit.clone();
        }
        let outer = std::mem::take(&mut self.found);
        // Messages name the file by the shorter text where that leads to it as well.
        let short = normal(&named);
        let path = if self.loader.canonical(&short) == key { short } else { named };
        let unit = self.read(&path, at);
        let inner = std::mem::replace(&mut self.found, outer);
        // A problem that points at who asked is another one for whoever asks next.
        if unit.is_some() || inner.problems().iter().all(|problem| problem.labels()[0].0 != at) {
            let cached = Cached { unit: unit.clone(), problems: inner.problems().to_vec() };
            self.memory.units.insert(key, cached);
        }
        self.found.extend(inner);
        unit
    }

    fn read(&mut self, path: &Path, at: Span) -> Option<Arc<Unit>> {
        let name = path.display().to_string();
        match read::text(self.loader.read(path), name.clone(), at) {
            Ok(text) if is_json(&text) => self.translate(path, name, text),
            Ok(text) => self.parse(path, name, text, Vec::new()),
            Err(error) => {
                self.found.push(error);
                None
            }
        }
    }

    /// A model of another language, if the loader knows it.
    fn translate(&mut self, path: &Path, name: String, text: String) -> Option<Arc<Unit>> {
        let translated = self.loader.translate(path, &text);
        let dir = path.parent().unwrap_or(Path::new(""));
        let Some(translated) = translated else { return self.parse(path, name, text, Vec::new()) };
        let source = self.memory.sources.add(name.clone(), text, dir);
        let text = self.memory.sources.get(source).clone();
        let placed = |remark: Remark, is_error| remark.at(source, &text.text, is_error);
        match translated {
            Ok(Translated { spec, remarks }) => {
                let remarks = remarks.into_iter().map(|remark| placed(remark, false)).collect();
                self.parse(path, format!("{name}, as a spec"), spec, remarks)
            }
            Err(remarks) => {
                remarks.into_iter().for_each(|remark| self.found.push(placed(remark, true)));
                None
            }
        }
    }

    fn parse(
        &mut self,
        path: &Path,
        name: String,
        text: String,
        remarks: Vec<ForeignError>,
    ) -> Option<Arc<Unit>> {
        let dir = path.parent().unwrap_or(Path::new(""));
        let source = self.memory.sources.add(name.clone(), text, dir);
        let text = self.memory.sources.get(source).clone();
        let before = self.found.count();
        let file = parse::file(source, &text.text, &mut self.found);
        let start = Span::new(source, 0, 0);
        let nothing = file.models.is_empty() && file.blocks.is_empty();
        if nothing
            && file.budgets.is_empty()
            && file.trains.is_empty()
            && file.lets.is_empty()
            && !file.broken
        {
            self.found.push(ReadError::Empty { path: name, at: start });
            return None;
        }
        if nothing && !file.broken {
            self.found.push(ResolveError::NoModel { path: name.clone(), at: start });
        }
        let mut unit = Unit::new(Some(path.to_path_buf()), name, source, file, &mut self.found);
        unit.sound = self.found.count() == before;
        unit.remarks = remarks;
        let unit = Arc::new(unit);
        self.memory.scopes.set(source, &unit);
        Some(unit)
    }

    fn notation(&mut self, text: &str) -> Option<Arc<Unit>> {
        let key = PathBuf::from(text);
        if let Some(cached) = self.memory.units.get(&key) {
            return cached.unit.clone();
        }
        let source = self.memory.sources.add("argument", text, Path::new(""));
        match notation::model(source, text) {
            Ok(model) => {
                let file = File { models: vec![model], ..File::default() };
                let unit = Arc::new(Unit::new(None, text.to_string(), source, file, &mut self.found));
                self.memory.units.insert(key, Cached { unit: Some(unit.clone()), problems: Vec::new() });
                Some(unit)
            }
            Err(why) => {
                let at = self.memory.sources.whole(source);
                self.found.push(ResolveError::BadNotation { text: suggest::shown(text), why, at });
                None
            }
        }
    }
}

pub(crate) fn unknown_model(unit: &Unit, name: &str, at: Span) -> ResolveError {
    let candidates: Vec<String> = unit.models.iter().take(64).map(|model| model.name.text.clone()).collect();
    ResolveError::UnknownModel {
        path: unit.name.clone(),
        name: suggest::shown(name),
        suggestion: suggest::nearest(name, candidates.iter().map(String::as_str)).map(str::to_string),
        candidates,
        at,
    }
}

/// `file.coe#name` into its two parts.
pub fn split_name(text: &str) -> (&str, Option<&str>) {
    let identifier =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match text.rsplit_once('#') {
        Some((path, name)) if identifier(name) => (path, Some(name)),
        _ => (text, None),
    }
}

fn circle(chain: &[ModelRef], back_to: &ModelRef) -> String {
    let name = |model: &ModelRef| {
        let Name { text, .. } = &model.model().name;
        if model.unit.models.len() == 1 {
            model.unit.name.clone()
        } else {
            format!("{}#{text}", model.unit.name)
        }
    };
    let from = chain
        .iter()
        .position(|model| model.unit.source == back_to.unit.source && model.index == back_to.index)
        .unwrap_or(0);
    let mut names: Vec<_> = chain[from..].iter().map(name).collect();
    names.push(name(back_to));
    names.join(" -> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_follows_the_last_mark() {
        assert_eq!(split_name("a.coe#b"), ("a.coe", Some("b")));
        assert_eq!(split_name("a#b.coe"), ("a#b.coe", None));
        assert_eq!(split_name("a.coe"), ("a.coe", None));
    }
}
