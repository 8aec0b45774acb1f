//! Loading specs: from a path to verified models.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use coec_ir::{Model, Train, Verified};

use crate::advice;
use crate::ast::{Assignment, Name};
use crate::diagnostic::{Diagnostic, Diagnostics, Found, Label, finish};
use crate::error::{Problem, ResolveError};
use crate::loader::Loader;
use crate::parse;
use crate::resolve::budget::RuleAt;
use crate::resolve::model::{Draft, Resolved};
use crate::resolve::train::{Bases, TrainDraft};
use crate::resolve::{Cx, Fuel};
use crate::scopes::{ModelRef, Scopes};
use crate::session::{Memory, Session, unknown_model};
use crate::source::{Sources, Span};
use crate::unit::Unit;

/// A model of a spec with everything the spec says about it.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The model.
    pub model: Verified<Model>,
    /// The budgets that hold for it, in the order of the file.
    pub rules: Vec<Arc<RuleAt>>,
    /// How the spec says to train it; `None` if it says nothing.
    pub train: Option<Train>,
    /// Where relative paths in [`train`](Self::train) start. The IR keeps them as written.
    pub bases: Bases,
    /// What is allowed and still worth a word.
    pub advice: Vec<Diagnostic>,
    /// The file; `None` for the paper's notation.
    pub path: Option<PathBuf>,
    pub(crate) draft: Draft,
    pub(crate) train_draft: TrainDraft,
    pub(crate) sources: Arc<Sources>,
    pub(crate) scopes: Arc<Scopes>,
    /// What was read for this spec and those loaded with it, so that checking them reads no file twice.
    pub(crate) memory: Arc<Mutex<Memory>>,
}

impl Spec {
    /// How to train the model: what the spec says, else what the quickstart does.
    ///
    /// Fails where the quickstart's training does not fit the model.
    pub fn train_or_default(&self) -> Result<Train, Diagnostics> {
        if let Some(train) = &self.train {
            return Ok(train.clone());
        }
        let (mut found, mut fuel) = (Found::default(), Fuel::default());
        let mut cx = Cx { scopes: &self.scopes, found: &mut found, fuel: &mut fuel };
        let train = cx.train(&self.train_draft, Some(self.model.vocab), Some(self.model.context));
        finish(train, found, &self.sources)
    }

    /// Whether the training block of the file itself has a field, whatever settings say.
    pub fn train_has(&self, field: &str) -> bool {
        self.train_draft.has(field)
    }

    pub(crate) fn label(&self, span: Span, text: String) -> Label {
        Label::new(&self.sources, span, text)
    }

    /// The fully explicit spec: the model with every value written out, its budgets
    /// and its training. Reading it gives the same model. Other specs that budgets
    /// name keep the text they were named with.
    pub fn explicit_text(&self) -> String {
        let rules: Vec<_> = self.rules.iter().map(|rule| rule.rule.clone()).collect();
        let train = self.train.as_ref().map(coec_ir::text::train).unwrap_or_default();
        let parts = [coec_ir::text::model(&self.model), coec_ir::text::budget(&rules), train];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("\n")
    }
}

/// Reads the spec at a path, `path#name`, or in the paper's notation, with `--set`
/// arguments applied to each of its models.
///
/// Gives every model of the file, or the one that is named. Anything wrong with them
/// is reported together.
pub fn load(spec: &str, sets: &[String], loader: &dyn Loader) -> Result<Vec<Spec>, Diagnostics> {
    let mut session = Session::new(loader, Memory::default());
    let specs = load_all(&mut session, spec, sets).unwrap_or_default();
    let Session { memory, found, .. } = session;
    let (sources, scopes) = (Arc::new(memory.sources.clone()), Arc::new(memory.scopes.clone()));
    let memory = Arc::new(Mutex::new(memory));
    let specs: Vec<Spec> = specs.into_iter().map(|spec| spec.finish(&sources, &scopes, &memory)).collect();
    let specs = finish(Some(specs), found, &sources)?;
    // A sweep goes through fields of models that are right by themselves.
    if let Some(spec) = specs.first() {
        spec.sweep()?;
    }
    Ok(specs)
}

/// Reads a spec that is to be one model, as [`load`] does.
pub fn load_one(spec: &str, sets: &[String], loader: &dyn Loader) -> Result<Spec, Diagnostics> {
    let mut specs = load(spec, sets, loader)?;
    if specs.len() == 1
        && let Some(spec) = specs.pop()
    {
        return Ok(spec);
    }
    let mut sources = Sources::default();
    let argument = sources.add("argument", spec, Path::new(""));
    let names = specs.iter().map(|spec| spec.model.name.clone()).collect();
    let mut found = Found::default();
    found.push(ResolveError::SeveralModels { path: spec.into(), names, at: sources.whole(argument) });
    finish(None, found, &Arc::new(sources))
}

/// A spec while others are still being read.
struct Loaded {
    model: Verified<Model>,
    rules: Vec<Arc<RuleAt>>,
    train: Option<Train>,
    draft: Draft,
    train_draft: TrainDraft,
}

impl Loaded {
    fn finish(self, sources: &Arc<Sources>, scopes: &Arc<Scopes>, memory: &Arc<Mutex<Memory>>) -> Spec {
        let Self { model, rules, train, draft, train_draft } = self;
        let remarks =
            draft.chain.iter().flat_map(|model| model.unit.remarks.iter().cloned().map(Problem::from));
        let advice = advice::of(&model, &draft, scopes).into_iter().map(Problem::from).chain(remarks);
        Spec {
            rules,
            train,
            bases: train_draft.bases(sources),
            advice: advice.map(|advice| Diagnostic::new(advice, sources)).collect(),
            path: draft.own().unit.path.clone(),
            model,
            draft,
            train_draft,
            sources: sources.clone(),
            scopes: scopes.clone(),
            memory: memory.clone(),
        }
    }
}

fn load_all(session: &mut Session, spec: &str, sets: &[String]) -> Option<Vec<Loaded>> {
    let argument = session.memory.sources.add("argument", spec, Path::new(""));
    let at = session.memory.sources.whole(argument);
    let settings: Vec<Option<Assignment>> = sets
        .iter()
        .map(|set| {
            let source = session.memory.sources.add("--set", set.as_str(), Path::new(""));
            parse::setting(source, set, &mut session.found)
        })
        .collect();
    let (unit, index) = session.spec(spec, Path::new(""), at)?;
    let settings: Vec<Assignment> = settings.into_iter().flatten().collect();
    for setting in &settings {
        session.memory.scopes.set(setting.value.span.source, &unit);
    }
    let blocks = Blocks::of(&unit, session);
    let mut fuel = Fuel::default();
    let models = match index {
        Some(index) => index..index + 1,
        None => 0..unit.models.len(),
    };
    let mut specs = Vec::with_capacity(models.len());
    for index in models {
        let model = ModelRef { unit: unit.clone(), index };
        let draft = match session.ancestry(model.clone()) {
            Some(chain) => Draft::new(chain),
            None => Draft::orphan(model),
        };
        let mut cx = session.cx(&mut fuel);
        specs.extend(blocks.spec(&mut cx, draft, &settings));
    }
    Some(specs)
}

/// The budgets and training blocks of a file, by the model they are for.
struct Blocks {
    /// The rules of each budget, in the order of the file.
    budgets: Vec<Vec<Arc<RuleAt>>>,
    budgets_for: For,
    trains_for: For,
}

/// Which of the items of a file are for which model, by their places in the file.
#[derive(Default)]
struct For {
    all: Vec<usize>,
    one: HashMap<String, Vec<usize>>,
}

impl For {
    fn add(&mut self, name: Option<&Name>, place: usize) {
        match name {
            Some(name) => self.one.entry(name.text.clone()).or_default().push(place),
            None => self.all.push(place),
        }
    }

    /// The places of what is for a model, in order.
    fn model(&self, cx: &mut Cx, name: &str, at: Span) -> Option<Vec<usize>> {
        let one = self.one.get(name).map_or(&[][..], Vec::as_slice);
        cx.spend(self.all.len() + one.len(), at)?;
        let mut places = [self.all.as_slice(), one].concat();
        places.sort_unstable();
        Some(places)
    }
}

impl Blocks {
    fn of(unit: &Unit, session: &mut Session) -> Self {
        let mut fuel = Fuel::default();
        let mut cx = session.cx(&mut fuel);
        let mut budgets = Vec::with_capacity(unit.budgets.len());
        let (mut budgets_for, mut trains_for) = (For::default(), For::default());
        for (place, budget) in unit.budgets.iter().enumerate() {
            cx.model_exists(unit, budget.name.as_ref());
            budgets_for.add(budget.name.as_ref(), place);
            budgets.push(budget.rules.iter().filter_map(|rule| cx.rule(rule)).map(Arc::new).collect());
        }
        for (place, train) in unit.trains.iter().enumerate() {
            cx.model_exists(unit, train.name.as_ref());
            trains_for.add(train.name.as_ref(), place);
        }
        Self { budgets, budgets_for, trains_for }
    }

    fn spec(&self, cx: &mut Cx, mut draft: Draft, settings: &[Assignment]) -> Option<Loaded> {
        let name = draft.own().model().name.text.clone();
        let mut train_draft = self.train(cx, &draft, &name)?;
        for setting in settings {
            cx.set(setting, &mut draft, &mut train_draft);
        }
        let Resolved { model, vocab, context } = cx.model(&draft);
        let train = train_draft.is_explicit().then(|| cx.train(&train_draft, vocab, context));
        let model = model?;
        let places = self.budgets_for.model(cx, &name, draft.at())?;
        let mut rules = Vec::new();
        for place in places {
            let budget = &self.budgets[place];
            cx.spend(budget.len(), draft.at())?;
            rules.extend(budget.iter().cloned());
        }
        let train = match train {
            Some(train) => Some(train?),
            None => None,
        };
        Some(Loaded { model, rules, train, draft, train_draft })
    }

    /// The training block of a model.
    fn train(&self, cx: &mut Cx, draft: &Draft, name: &str) -> Option<TrainDraft> {
        let unit = &draft.own().unit;
        let places = self.trains_for.model(cx, name, draft.at())?;
        let mut found = TrainDraft::empty(draft.at());
        if let Some((&first, others)) = places.split_first() {
            found.block = Some((unit.clone(), first));
            found.at = unit.trains[first].at;
            for &other in others {
                let (first, at) = (found.at, unit.trains[other].at);
                cx.found.push(ResolveError::SeveralTrains { model: name.into(), first, at });
            }
        }
        Some(found)
    }
}

impl Cx<'_> {
    /// Reports a budget or training block for a model there is none of.
    fn model_exists(&mut self, unit: &Unit, name: Option<&Name>) {
        if let Some(name) = name.filter(|name| !unit.broken && unit.model(&name.text).is_none()) {
            self.found.push(unknown_model(unit, &name.text, name.span));
        }
    }
}
