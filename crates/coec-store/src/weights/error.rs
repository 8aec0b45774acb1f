//! What can be wrong with a weights file.

use std::fmt;
use std::io;
use std::path::PathBuf;

use safetensors::Dtype;
use thiserror::Error;

/// A weights file that cannot be read, written or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The system refuses to read a file.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system refuses to write a file.
    #[error("cannot write {}", path.display())]
    Unwritable {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is not safetensors.
    #[error("{} is not a safetensors file: {reason}", path.display())]
    Invalid {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file that is shorter or longer than its header says.
    #[error("{} has {found} bytes, and its header describes {described}", path.display())]
    Length {
        /// Its path.
        path: PathBuf,
        /// Its size.
        found: u64,
        /// The size it would have.
        described: u64,
    },
    /// A tensor that is asked for and not there.
    #[error("{} has no tensor `{name}`", path.display())]
    NoTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor whose numbers are of another kind.
    #[error("`{name}` in {} is {found}, and must be {expected}", path.display())]
    WrongDtype {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What it holds.
        found: Dtype,
        /// What is read.
        expected: &'static str,
    },
    /// A number that another kind cannot hold.
    #[error("`{name}` in {} has a number that {dtype} cannot hold", path.display())]
    Overflow {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What it was to become.
        dtype: Dtype,
    },
    /// Tensors that are not the model's.
    #[error("{} does not fit the model: {difference}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What differs.
        difference: Difference,
    },
    /// A tensor to be written that contradicts what was announced.
    #[error("tensor `{name}` of {} was not written as announced: {reason}", path.display())]
    Announced {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// How.
        reason: &'static str,
    },
}

/// How the tensors of a file differ from those expected, complete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Expected and not there.
    pub missing: Vec<String>,
    /// There and not expected.
    pub surplus: Vec<String>,
    /// Of another shape.
    pub misshapen: Vec<Misshapen>,
}

/// A tensor of another shape than expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misshapen {
    /// The tensor.
    pub name: String,
    /// Its shape.
    pub found: Vec<usize>,
    /// The shape it should have.
    pub expected: Vec<usize>,
}

impl fmt::Display for Misshapen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {:?} (expected {:?})", self.name, self.found, self.expected)
    }
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
        let quoted = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect();
        let kinds: [(&str, Vec<String>); 3] = [
            ("missing", quoted(&self.missing)),
            ("surplus", quoted(&self.surplus)),
            ("misshapen", self.misshapen.iter().map(Misshapen::to_string).collect()),
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

impl WeightsError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "coec::weights::unreadable",
            Self::Unwritable { .. } => "coec::weights::unwritable",
            Self::Invalid { .. } => "coec::weights::invalid",
            Self::Length { .. } => "coec::weights::length",
            Self::NoTensor { .. } => "coec::weights::no_tensor",
            Self::WrongDtype { .. } => "coec::weights::wrong_dtype",
            Self::Overflow { .. } => "coec::weights::overflow",
            Self::Mismatch { .. } => "coec::weights::mismatch",
            Self::Announced { .. } => "coec::weights::announced",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Unreadable { .. } => "check that it is there, and its permissions".into(),
            Self::Unwritable { .. } => "check the permissions and the free space".into(),
            Self::Invalid { .. } => "the file may be damaged, or of another format".into(),
            Self::Length { .. } => "the file may be truncated: copy or download it again".into(),
            Self::NoTensor { .. } => "the file holds other tensors".into(),
            Self::WrongDtype { expected, .. } => format!("store it as {expected}"),
            Self::Overflow { .. } => "import it with `--dtype f32`, which holds every such number".into(),
            Self::Mismatch { .. } => {
                "names and shapes follow the spec: these are another model's weights".into()
            }
            Self::Announced { .. } => "every announced tensor is written once, with its size".into(),
        }
    }

    /// Whether the file is wrong, rather than the environment.
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::Unreadable { .. } | Self::Unwritable { .. })
    }
}
