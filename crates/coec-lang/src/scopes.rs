//! Where the words of a text are looked up, and which model of a file is meant.

use std::collections::HashMap;
use std::sync::Arc;

use crate::source::SourceId;
use crate::unit::Unit;

/// A model in a file.
#[derive(Debug, Clone)]
pub(crate) struct ModelRef {
    pub unit: Arc<Unit>,
    pub index: usize,
}

impl ModelRef {
    pub fn model(&self) -> &crate::ast::Model {
        &self.unit.models[self.index]
    }
}

/// The unit in whose lets the words of a text are looked up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scopes(HashMap<SourceId, Arc<Unit>>);

impl Scopes {
    pub fn set(&mut self, source: SourceId, unit: &Arc<Unit>) {
        self.0.insert(source, unit.clone());
    }

    pub fn of(&self, source: SourceId) -> Option<&Unit> {
        self.0.get(&source).map(Arc::as_ref)
    }
}
