//! One enum of errors for each stage.
//!
//! A variant holds what a reader needs; its message is the `#[error]` text, its
//! code stands behind it, and `labels` and `help` match every variant, so that a
//! new one does not compile before it says where it points and what to do.

mod advice;
mod budget;
mod foreign;
mod meant;
mod parse;
mod read;
mod resolve;
mod verify;

pub(crate) use advice::Advice;
pub(crate) use budget::BudgetError;
pub(crate) use foreign::ForeignError;
pub(crate) use meant::Meant;
pub(crate) use parse::ParseError;
pub(crate) use read::ReadError;
pub(crate) use resolve::ResolveError;
pub(crate) use verify::VerifyError;

use crate::source::Span;

/// A place with what to say about it; the first of an error is the main one.
pub(crate) type Labels = Vec<(Span, String)>;

/// Declares an enum of errors, each variant with its code.
macro_rules! errors {
    (
        $(#[$meta:meta])*
        $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident { $($field:ident: $type:ty),* $(,)? } => $code:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, thiserror::Error)]
        pub(crate) enum $name {
            $($(#[$variant_meta])* $variant { $($field: $type),* },)*
        }

        impl $name {
            /// The code of every variant, in order.
            pub const CODES: &'static [&'static str] = &[$($code),*];

            /// The code of this error.
            pub fn code(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $code,)*
                }
            }
        }
    };
}
pub(crate) use errors;

/// Any error of the front end.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Problem {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Parse(#[from] ParseError),
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Budget(#[from] BudgetError),
    #[error(transparent)]
    Advice(#[from] Advice),
    #[error(transparent)]
    Foreign(#[from] ForeignError),
}

macro_rules! each {
    ($self:ident, $error:ident => $result:expr) => {
        match $self {
            Problem::Read($error) => $result,
            Problem::Parse($error) => $result,
            Problem::Resolve($error) => $result,
            Problem::Verify($error) => $result,
            Problem::Budget($error) => $result,
            Problem::Advice($error) => $result,
            Problem::Foreign($error) => $result,
        }
    };
}

impl Problem {
    pub fn code(&self) -> &'static str {
        each!(self, error => error.code())
    }

    pub fn labels(&self) -> Labels {
        each!(self, error => error.labels())
    }

    pub fn help(&self) -> String {
        each!(self, error => error.help())
    }
}

/// The code of every diagnostic there is, those of `coec_ir` included, in order of the stages. Whoever translates
/// models of other languages has codes of their own.
pub fn codes() -> Vec<&'static str> {
    let stages = [
        ReadError::CODES,
        ParseError::CODES,
        ResolveError::CODES,
        coec_ir::ViolationKind::CODES,
        BudgetError::CODES,
        Advice::CODES,
    ];
    stages.concat()
}
