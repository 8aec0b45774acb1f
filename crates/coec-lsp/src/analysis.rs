//! What the compiler says of a file.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use coec_ir::Conditions;
use coec_ir::cost::{Cost, Setting};
use coec_lang::{Diagnostic, LayerField, Spec, Verdict, check, load};

use crate::snapshot::Snapshot;

/// What the compiler says of a file, as `coec check` does.
#[derive(Debug, Default)]
pub(crate) struct Analysis {
    /// Its models; none where something is wrong with one.
    pub models: Vec<Judged>,
    /// Everything there is to say.
    pub said: Vec<Diagnostic>,
    /// The one form of every path that was read for it.
    pub read: HashSet<PathBuf>,
}

/// A model with its budgets judged.
#[derive(Debug)]
pub(crate) struct Judged {
    pub spec: Spec,
    /// In the order of the text; none where another spec that a rule names is wrong.
    pub verdicts: Vec<Verdict>,
    cost: OnceLock<Cost>,
    fields: OnceLock<Vec<LayerField>>,
}

impl Judged {
    /// Its figures in the setting of a rule without conditions.
    pub fn cost(&self) -> &Cost {
        self.cost.get_or_init(|| cost_of(&self.spec.model))
    }

    /// The fields of its own text that say what its layers are.
    pub fn fields(&self) -> &[LayerField] {
        self.fields.get_or_init(|| self.spec.layer_fields())
    }
}

/// Figures of a model in the setting of a rule without conditions.
pub(crate) fn cost_of(model: &coec_ir::Verified<coec_ir::Model>) -> Cost {
    Cost::of(model, Setting::of(model, &Conditions::default()))
}

impl Analysis {
    /// Reads and judges the file at a path.
    pub fn of(texts: &Snapshot, path: &Path) -> Self {
        let loader = texts.loader();
        let mut found = Self::default();
        match load(&path.to_string_lossy(), &[], &loader) {
            Ok(specs) => {
                for spec in specs {
                    found.said.extend(spec.advice.iter().cloned());
                    let verdicts = match check(&spec, &loader) {
                        Ok(report) => report.verdicts,
                        Err(errors) => {
                            found.said.extend(errors);
                            Vec::new()
                        }
                    };
                    found.said.extend(verdicts.iter().filter_map(|verdict| verdict.diagnostic.clone()));
                    found.models.push(Judged {
                        spec,
                        verdicts,
                        cost: OnceLock::new(),
                        fields: OnceLock::new(),
                    });
                }
            }
            Err(errors) => found.said.extend(errors),
        }
        found.read = loader.read_paths();
        found
    }

    /// The model of a name.
    pub fn model(&self, name: &str) -> Option<&Judged> {
        self.models.iter().find(|model| model.spec.model.name == name)
    }
}
