//! The cache: what is made of data once and needed often, shared by all runs of a user and bounded.

mod folder;
mod room;
mod survey;

pub(super) use folder::{ABOUT, INPUT, TOKENS, folder, note_use, unwritable};
pub(super) use room::{make_room, most_bytes};
pub(super) use survey::{keep_survey, survey};

pub use room::Cache;
