//! A model as a picture.
//!
//! [`svg`](fn@svg) and [`mermaid`](fn@mermaid) draw the same thing: a box for each block, with its
//! share of the model's parameters and FLOPs; layers of one kind once, with how many there are;
//! the iterations of a chain as the loop they are, with the routers where they read; and where
//! the residual stream goes. What is connected with what is [`coec_ir::Coe::wiring`]'s to say.
//!
//! ```
//! use coec_lang::{MapLoader, load_one};
//!
//! let files = MapLoader::new().with("tiny.coe", "coe(iter=2, k=1, experts=4)");
//! let spec = load_one("tiny.coe", &[], &files)?;
//! assert!(coec_graph::svg(&spec.model).starts_with("<svg "));
//! assert!(coec_graph::mermaid(&spec.model).starts_with("flowchart TD\n"));
//! # Ok::<(), coec_lang::Diagnostics>(())
//! ```
//!
//! # The way through
//!
//! `plan` is a sink of the walk: which blocks there are, how often, and what each costs. `words`
//! puts a block into words. `svg/` draws: `canvas` knows shapes, `label` how much room text takes,
//! `page` and `chain` where things stand. Both pictures are the same text for the same model.

#![warn(missing_docs)]

mod mermaid;
mod plan;
mod svg;
mod words;

pub use mermaid::mermaid;
pub use plan::Share;
pub use svg::{cut as text_cut, inline, style as inline_style, svg, width as text_width};
