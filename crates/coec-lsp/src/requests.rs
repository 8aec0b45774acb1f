//! Which feature answers which request.

use gen_lsp_types as lsp;
use gen_lsp_types::Uri;
use lsp_server::ErrorCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::features::{
    View, actions, completion, folding, formatting, hints, hover, lenses, picture, references, selection,
    signature, symbols, tokens,
};

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) struct Refused {
    pub code: ErrorCode,
    pub message: String,
}

impl Refused {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

pub(crate) type Answer = Result<Value, Refused>;

/// The document that a message is about.
pub(crate) fn document_of(params: &Value) -> Option<Uri> {
    let text = params.pointer("/textDocument/uri")?.as_str()?;
    Uri::parse(text).ok()
}

/// How one kind of request about a document is answered.
pub(crate) struct Feature {
    /// Whether answering takes the compiler's word, or the text alone will do.
    pub reads_figures: bool,
    pub answer: fn(&View, Value) -> Answer,
}

/// What answers a request of this name.
pub(crate) fn feature(method: &str) -> Option<Feature> {
    let of_text = |answer| Some(Feature { reads_figures: false, answer });
    let of_figures = |answer| Some(Feature { reads_figures: true, answer });
    match method {
        "textDocument/completion" => {
            of_figures(|view, params| value(&completion::at(view, place(view, params)?)))
        }
        "textDocument/signatureHelp" => {
            of_text(|view, params| value(&signature::at(view.document, place(view, params)?)))
        }
        "textDocument/hover" => of_figures(|view, params| value(&hover::at(view, place(view, params)?))),
        "textDocument/definition" => {
            of_text(|view, params| value(&references::definition(view, place(view, params)?)))
        }
        "textDocument/references" => of_text(|view, params| {
            let of: lsp::ReferenceParams = read(params)?;
            let at = view.document.text.offset(of.text_document_position_params.position);
            value(&references::references(view, at, of.context.include_declaration))
        }),
        "textDocument/documentHighlight" => of_text(|view, params| {
            let ranges = references::highlights(view, place(view, params)?).into_iter();
            value(&ranges.map(|range| lsp::DocumentHighlight::new(range, None)).collect::<Vec<_>>())
        }),
        "textDocument/prepareRename" => {
            of_text(|view, params| value(&references::renamed(view, place(view, params)?)))
        }
        "textDocument/rename" => of_text(|view, params| {
            let of: lsp::RenameParams = read(params)?;
            let at = view.document.text.offset(of.text_document_position_params.position);
            match references::rename(view, at, &of.new_name) {
                Ok(edit) => value(&edit),
                Err(why) => Err(Refused::new(ErrorCode::RequestFailed, why)),
            }
        }),
        "textDocument/documentSymbol" => of_text(|view, _| value(&symbols::of(view.document))),
        "textDocument/foldingRange" => of_text(|view, _| value(&folding::of(view.document))),
        "textDocument/selectionRange" => of_text(|view, params| {
            let of: lsp::SelectionRangeParams = read(params)?;
            value(&selection::of(view.document, &of.positions))
        }),
        "textDocument/semanticTokens/full" => of_text(|view, _| value(&tokens::of(view.document))),
        "textDocument/formatting" => of_text(|view, _| value(&formatting::of(view.document, None))),
        "textDocument/rangeFormatting" => of_text(|view, params| {
            let of: lsp::DocumentRangeFormattingParams = read(params)?;
            value(&formatting::of(view.document, Some(of.range)))
        }),
        "textDocument/codeAction" => of_figures(|view, params| {
            let of: lsp::CodeActionParams = read(params)?;
            value(&actions::of(view, &view.document.text.range(of.range)))
        }),
        "textDocument/inlayHint" => of_figures(|view, params| {
            let of: lsp::InlayHintParams = read(params)?;
            value(&hints::of(view, view.document.text.range(of.range)))
        }),
        "textDocument/codeLens" => of_figures(|view, _| value(&lenses::of(view))),
        "coec/picture" => of_figures(|view, params| {
            let of: picture::PictureParams = read(params)?;
            value(&picture::of(view, of.position))
        }),
        _ => None,
    }
}

/// The byte that a request is about.
fn place(view: &View, params: Value) -> Result<usize, Refused> {
    Ok(view.document.text.offset(read::<lsp::TextDocumentPositionParams>(params)?.position))
}

pub(crate) fn read<P: DeserializeOwned>(params: Value) -> Result<P, Refused> {
    serde_json::from_value(params).map_err(|error| Refused::new(ErrorCode::InvalidParams, error.to_string()))
}

fn value<R: Serialize>(result: &R) -> Answer {
    serde_json::to_value(result).map_err(|error| Refused::new(ErrorCode::InternalError, error.to_string()))
}
