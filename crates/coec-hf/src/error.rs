//! What can be wrong with a folder, and what a folder cannot say.

use std::fmt;

use thiserror::Error;

use crate::Family;

/// Why a folder is no model, or a model no folder.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum HfError {
    /// A `config.json` that is no JSON object.
    #[error("config.json is no JSON object: {reason}")]
    NotJson {
        /// What is wrong, with line and column.
        reason: String,
    },
    /// A `config.json` of a family that is not known, or that names none.
    #[error("config.json has {}", found.as_ref().map_or("no `model_type`".into(), |found| format!("the unknown `model_type` {found}")))]
    ModelType {
        /// What it says.
        found: Option<String>,
    },
    /// A setting that the family requires.
    #[error("config.json of {family} has no `{key}`")]
    Missing {
        /// The family.
        family: Family,
        /// The setting.
        key: String,
    },
    /// A setting of another type.
    #[error("`{key}` in config.json is {value}, and must be {expected}")]
    WrongType {
        /// The setting.
        key: String,
        /// What it is.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A number outside its bounds.
    #[error("`{key}` in config.json is {value}, which is out of range")]
    OutOfRange {
        /// The setting.
        key: String,
        /// What it is.
        value: String,
        /// What is allowed.
        expected: String,
    },
    /// A setting that says what the language cannot.
    #[error("`{key}` in config.json is {value}: {why}")]
    Refused {
        /// The setting.
        key: String,
        /// What it is.
        value: String,
        /// Why it cannot be honoured.
        why: String,
        /// What would be.
        accepted: String,
    },
    /// A setting that the family does not know.
    #[error("`{key}` in config.json is {value}, and {family} has no such setting")]
    UnknownSetting {
        /// The family.
        family: Family,
        /// The setting.
        key: String,
        /// What it is.
        value: String,
    },
    /// Settings that are no model together.
    #[error("`{key}` in config.json does not fit the other settings: {message}")]
    Inconsistent {
        /// The setting that is reported.
        key: String,
        /// What is wrong.
        message: String,
        /// What to do about it.
        help: String,
    },
    /// Tensors that are not the model's.
    #[error("the tensors are not those of {family}: {difference}")]
    Tensors {
        /// The family.
        family: Family,
        /// What differs.
        difference: Difference,
    },
    /// Far fewer tensors than the settings describe.
    #[error("config.json describes {expected} tensors, and the folder has {found}")]
    TensorCount {
        /// As many as the settings describe.
        expected: u128,
        /// As many as there are.
        found: usize,
    },
    /// A model that a family cannot express.
    #[error("{family} cannot express {obstacle}")]
    Inexpressible {
        /// The family.
        family: Family,
        /// What stops it.
        obstacle: Obstacle,
    },
    /// A model that no family can express.
    #[error("no family of Hugging Face models can express this one:{}", lines(obstacles))]
    NoFamily {
        /// The first obstacle of each family.
        obstacles: Vec<(Family, Obstacle)>,
    },
}

/// What keeps a model from being one of a family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// The field of the spec, as a dotted path: `ffn.router.scale`.
    pub field: String,
    /// Its value, in the words of the language.
    pub value: String,
    /// What the family has instead.
    pub why: String,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}: {}", self.field, self.value, self.why)
    }
}

fn lines(obstacles: &[(Family, Obstacle)]) -> String {
    obstacles.iter().map(|(family, obstacle)| format!("\n  {family}: {obstacle}")).collect()
}

/// How the tensors of a folder differ from those of its model, complete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Expected and not there.
    pub missing: Vec<String>,
    /// There and not expected.
    pub surplus: Vec<String>,
    /// Of another shape: the name, the shape found, the shape expected.
    pub misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl Difference {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.surplus.is_empty() && self.misshapen.is_empty()
    }
}

/// Names listed of each kind; the rest is counted.
const LISTED: usize = 8;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
        let misshapen = self.misshapen.iter();
        let misshapen =
            misshapen.map(|(name, found, expected)| format!("`{name}` {found:?} (expected {expected:?})"));
        let kinds = [
            ("missing", quoted(&self.missing)),
            ("surplus", quoted(&self.surplus)),
            ("misshapen", misshapen.collect()),
        ];
        let mut between = "";
        for (kind, names) in kinds.iter().filter(|(_, names)| !names.is_empty()) {
            let listed = &names[..names.len().min(LISTED)];
            write!(f, "{between}{} {kind}: {}", names.len(), listed.join(", "))?;
            if names.len() > LISTED {
                write!(f, " and {} more", names.len() - LISTED)?;
            }
            between = "; ";
        }
        Ok(())
    }
}

impl HfError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotJson { .. } => "coec::hf::not_json",
            Self::ModelType { .. } => "coec::hf::model_type",
            Self::Missing { .. } => "coec::hf::missing",
            Self::WrongType { .. } => "coec::hf::wrong_type",
            Self::OutOfRange { .. } => "coec::hf::out_of_range",
            Self::Refused { .. } => "coec::hf::refused",
            Self::UnknownSetting { .. } => "coec::hf::unknown_setting",
            Self::Inconsistent { .. } => "coec::hf::inconsistent",
            Self::Tensors { .. } => "coec::hf::tensors",
            Self::TensorCount { .. } => "coec::hf::tensor_count",
            Self::Inexpressible { .. } => "coec::hf::inexpressible",
            Self::NoFamily { .. } => "coec::hf::no_family",
        }
    }

    /// The setting it is about, as a dotted path: `rope_scaling.factor`.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::ModelType { .. } => Some("model_type"),
            Self::WrongType { key, .. }
            | Self::OutOfRange { key, .. }
            | Self::Refused { key, .. }
            | Self::UnknownSetting { key, .. }
            | Self::Inconsistent { key, .. } => Some(key),
            Self::NotJson { .. }
            | Self::Missing { .. }
            | Self::Tensors { .. }
            | Self::TensorCount { .. }
            | Self::Inexpressible { .. }
            | Self::NoFamily { .. } => None,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::NotJson { .. } => "it is the configuration that `save_pretrained` writes".into(),
            Self::ModelType { .. } => {
                let known: Vec<_> = Family::ALL.iter().map(|family| family.model_type()).collect();
                format!("known are {}", known.join(", "))
            }
            Self::Missing { key, .. } => {
                format!("the published code has no default for it; write `{key}` as the weights were trained")
            }
            Self::WrongType { expected, .. } => format!("write {expected}"),
            Self::OutOfRange { expected, .. } => format!("expected {expected}"),
            Self::Refused { accepted, .. } => format!("accepted: {accepted}"),
            Self::UnknownSetting { key, .. } => format!(
                "it may change what the model computes; if you know that it does not, delete `{key}` from \
                 config.json, or set it to null"
            ),
            Self::Inconsistent { help, .. } => help.clone(),
            Self::TensorCount { .. } => "parts of the folder are missing, or config.json is another's".into(),
            Self::Tensors { .. } => {
                "names and shapes follow config.json: these are another model's weights, or parts of the \
                 folder are missing"
                    .into()
            }
            Self::Inexpressible { .. } => {
                "export to another family, or train a model that this one can express".into()
            }
            Self::NoFamily { .. } => {
                "the run's own model.safetensors and spec.coe are complete without a family".into()
            }
        }
    }
}
