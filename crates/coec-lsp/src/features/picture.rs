//! The drawing of a model, beside its text.

use gen_lsp_types::{Position, TextDocumentIdentifier};
use serde::{Deserialize, Serialize};

use super::View;

/// `coec/picture`: the drawing of the model at a position, or of the first one.
#[derive(Debug, Deserialize)]
pub(crate) struct PictureParams {
    #[serde(rename = "textDocument")]
    pub _document: TextDocumentIdentifier,
    pub position: Option<Position>,
}

/// A drawing.
#[derive(Debug, Serialize)]
pub(crate) struct Picture {
    /// The model that is drawn.
    pub model: String,
    /// An SVG.
    pub svg: String,
}

/// The drawing; `None` while something is wrong with the file.
pub(crate) fn of(view: &View, position: Option<Position>) -> Option<Picture> {
    let at = position.map(|position| view.document.text.offset(position));
    let model = at.and_then(|at| view.model_at(at)).or_else(|| view.analysis.models.first())?;
    Some(Picture { model: model.spec.model.name.clone(), svg: coec_graph::svg(&model.spec.model) })
}
