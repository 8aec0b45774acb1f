//! How a command ends.

use std::error::Error;
use std::io;

use coec_hf::HfError;
use coec_lang::Diagnostics;
use coec_store::{folder::FolderError, weights::WeightsError};

/// The exit code of a command whose output was closed before it had written all of it: what a shell
/// makes of SIGPIPE, which ends other programs then.
pub const CLOSED: u8 = 128 + 13;

/// A command that did what it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// All of it.
    Well,
    /// A budget fails; what there is to say about it is said.
    BudgetFails,
    /// `fmt --check` found a spec in another layout, and said so.
    Differs,
    /// An editor ended its server without asking it to shut down first.
    NotShutDown,
    /// A signal ended it, after saving.
    #[cfg(feature = "train")]
    Interrupted(i32),
    /// It ended with this exit code, and another rank says why.
    #[cfg(feature = "train")]
    Elsewhere(u8),
}

impl Done {
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::BudgetFails | Self::Differs | Self::NotShutDown => 1,
            #[cfg(feature = "train")]
            Self::Interrupted(signal) => 128 + signal as u8,
            #[cfg(feature = "train")]
            Self::Elsewhere(code) => code,
        }
    }

    /// Whether a signal ended it.
    pub fn is_interrupted(self) -> bool {
        match self {
            Self::Well | Self::BudgetFails | Self::Differs | Self::NotShutDown => false,
            #[cfg(feature = "train")]
            Self::Interrupted(_) => true,
            #[cfg(feature = "train")]
            Self::Elsewhere(code) => code > 128,
        }
    }
}

/// A command that could not.
#[derive(Debug)]
pub enum Failure {
    /// Specs are wrong.
    Spec(Diagnostics),
    /// Specs are wrong, and everything about it is printed already.
    Shown,
    /// Whoever read what was written has read enough: nothing is to be said.
    Closed,
    /// Several things, each worth its own words.
    Several(Vec<Failure>),
    /// Something without a place in a spec.
    Other {
        code: String,
        message: String,
        help: String,
        /// Whether arguments or files given are wrong, rather than the environment.
        input: bool,
    },
}

impl Failure {
    /// Wrong arguments.
    pub fn input(code: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Other { code: code.into(), message: message.into(), help: help.into(), input: true }
    }

    /// A wrong environment: files, data, devices, disk.
    pub fn environment(code: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Other { code: code.into(), message: message.into(), help: help.into(), input: false }
    }

    /// The first of some errors, in one line.
    #[cfg(feature = "train")]
    pub fn first_line(errors: &Diagnostics) -> String {
        errors.iter().next().map_or_else(String::new, |error| format!("{error} ({})", error.code()))
    }

    /// What went wrong, in one line.
    #[cfg(feature = "train")]
    pub fn one_line(&self) -> String {
        match self {
            Self::Spec(errors) => Self::first_line(errors),
            Self::Shown => "a spec is wrong".into(),
            Self::Closed => "nobody reads the output".into(),
            Self::Several(failures) => failures.iter().map(Self::one_line).collect::<Vec<_>>().join("; "),
            Self::Other { code, message, help, .. } => format!("{message} ({code}); {help}"),
        }
    }

    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Spec(_) | Self::Shown | Self::Several(_) | Self::Other { input: true, .. } => 2,
            Self::Other { input: false, .. } => 3,
            Self::Closed => CLOSED,
        }
    }
}

#[cfg(feature = "train")]
impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.one_line())
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::Spec(diagnostics)
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::Settings { errors } if errors.len() > 1 => {
                let input = |error: &HfError| Self::input(error.code(), error.to_string(), error.help());
                Self::Several(errors.iter().map(input).collect())
            }
            error => Self::of(&error, error.code(), error.help(), error.is_input()),
        }
    }
}

impl From<WeightsError> for Failure {
    fn from(error: WeightsError) -> Self {
        Self::of(&error, error.code(), error.help(), error.is_input())
    }
}

impl Failure {
    /// An error of a crate of ours, with what the system said, which such an error only carries along.
    fn of(error: &dyn Error, code: &str, help: String, input: bool) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            if cause.downcast_ref().is_some_and(is_closed_pipe) {
                return Self::Closed;
            }
            let text = cause.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            source = cause.source();
        }
        Self::Other { code: code.into(), message, help, input }
    }
}

/// What the compiler alone cannot do.
#[cfg(not(feature = "train"))]
pub fn compiler_alone() -> Failure {
    Failure::input(
        "coec::cli::compiler_alone",
        "this coec is the compiler alone: it runs no model, and knows no runs",
        "install all of it: cargo install --path crates/coec --locked",
    )
}

/// Whether the reader of what was being written is gone.
pub fn is_closed_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

#[cfg(feature = "train")]
mod training {
    use super::Failure;
    use coec_train::TrainError;

    impl From<TrainError> for Failure {
        fn from(error: TrainError) -> Self {
            Self::of(&error, error.code(), error.help(), error.is_input())
        }
    }

    macro_rules! through_train_error {
        ($($error:ty),*) => {
            $(impl From<$error> for Failure {
                fn from(error: $error) -> Self {
                    TrainError::from(error).into()
                }
            })*
        };
    }

    through_train_error!(
        coec_train::data::DataError,
        coec_train::run_dir::RunError,
        coec_train::sample::SampleError,
        coec_train::world::WorldError,
        coec_nn::capture::CaptureError
    );
}
