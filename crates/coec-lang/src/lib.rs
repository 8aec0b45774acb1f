//! The `.coe` language: text to verified IR, with diagnostics that point at the text.
//!
//! ```
//! use coec_lang::{MapLoader, load_one};
//!
//! let files = MapLoader::new().with("tiny.coe", "coe(iter=2, k=1, experts=4)");
//! let spec = load_one("tiny.coe", &["ffn.k=2".into()], &files)?;
//! assert_eq!(spec.model.name, "tiny");
//!
//! let errors = load_one("tiny.coe", &["ffn.k=5".into()], &files).unwrap_err();
//! let error = errors.iter().next().unwrap();
//! assert_eq!(error.code(), "coec::verify::k_exceeds_experts");
//! assert_eq!(error.labels()[0].file, "--set");
//! # Ok::<(), coec_lang::Diagnostics>(())
//! ```
//!
//! # The way through
//!
//! - [`load`] reads `path`, `path#name` or the paper's `CoE-2(4/64)`, applies `--set`
//!   arguments, and gives one [`Spec`] per model; [`load_one`] wants exactly one.
//!   Files come from a [`Loader`]: this crate does no input or output.
//! - A [`Spec`] holds the verified model, its budget rules, its training if the spec
//!   gives one ([`Spec::train_or_default`] else), and writes itself out in full
//!   ([`Spec::explicit_text`]).
//! - [`check`](fn@check) judges the rules of a spec: a [`Report`] with a [`Verdict`] for each, and for
//!   those that do not hold a diagnostic that says what would close the gap. Measured rules
//!   are deferred until a run calls [`Verdict::measured`].
//! - Errors are [`Diagnostics`], all of a file together. A [`Diagnostic`] implements
//!   [`miette::Diagnostic`] with its sources inside, and [`Diagnostic::to_json`].
//!   [`codes`] lists every code there is.
//! - [`fit`](fn@fit) finds integers that make a spec cost what another does, and writes the spec that has
//!   them, with the budget that holds the two to each other.
//! - [`outline`] says what stands where in a text that need not be right, and what may stand at a place: for editors.
//!   [`Diagnostic::replacements`], [`Verdict::fixes`] and [`Spec::text_with`] are what they change in one.
//! - [`format`](fn@format) lays a text out, keeping what it says and every comment.
//! - [`read`](fn@read) is the text of a file, [`nearest`] finds the name that was meant.
//! - [`coec_ir::table`] has the words: every block, its fields, kinds, bounds and defaults; `resolve` reads
//!   any block by its table.
//!
//! Inside, in order: `scan` (nesting, comments), `parse` (pest to `ast`), `unit` (names
//! of one file), `session` (files that name each other), `resolve` (words to IR),
//! `coec_ir::verify`, and back from a violation to the text in `resolve::locate`.

#![warn(missing_docs)]

mod advice;
mod ast;
mod check;
mod close;
mod diagnostic;
mod error;
mod fit;
mod foreign;
mod format;
mod layer_fields;
mod loader;
mod notation;
pub mod outline;
mod parse;
mod read;
mod reading;
mod resolve;
mod scan;
mod scopes;
mod session;
mod source;
mod spec;
mod suggest;
mod sweep;
mod turn;
mod unit;

pub use check::{Outcome, Report, Verdict, check};
pub use close::Fix;
pub use diagnostic::{Diagnostic, DiagnosticJson, Diagnostics, Label, Severity};
pub use error::codes;
pub use fit::{Candidate, Fit, FitError, Matched, Other, Relocate, fit, fit_point, fit_rule};
pub use foreign::{Remark, SETTINGS, Translated};
pub use format::{format, with_line_ends_of};
pub use layer_fields::LayerField;
pub use loader::{Loader, MapLoader};
pub use notation::is_notation;
pub use read::{MAX_SOURCE, read};
pub use reading::Reading;
pub use resolve::budget::RuleAt;
pub use resolve::train::Bases;
pub use session::split_name;
pub use spec::{Spec, load, load_one};
pub use suggest::nearest;
pub use sweep::{Fitted, Point};
pub use unit::stem;
