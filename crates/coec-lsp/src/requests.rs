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

/// The document that a request is about.
pub(crate) fn document_of(params: &Value) -> Option<Uri> {
    let text = params.pointer("/textDocument/uri")?.as_str()?;
    Uri::parse(text).ok()
}

/// Answers a request about one document.
pub(crate) fn answer(view: &View, method: &str, params: Value, snippets: bool) -> Answer {
    let text = &view.document.text;
    let place = |params| Ok(text.offset(read::<lsp::TextDocumentPositionParams>(params)?.position));
    match method {
        "textDocument/completion" => value(&completion::at(view, place(params)?, snippets)),
        "textDocument/signatureHelp" => value(&signature::at(view.document, place(params)?)),
        "textDocument/hover" => value(&hover::at(view, place(params)?)),
        "textDocument/definition" => value(&references::definition(view, place(params)?)),
        "textDocument/references" => with(params, |of: lsp::ReferenceParams| {
            let at = text.offset(of.text_document_position_params.position);
            references::references(view, at, of.context.include_declaration)
        }),
        "textDocument/documentHighlight" => {
            let ranges = references::highlights(view, place(params)?).into_iter();
            value(&ranges.map(|range| lsp::DocumentHighlight::new(range, None)).collect::<Vec<_>>())
        }
        "textDocument/prepareRename" => value(&references::renamed(view, place(params)?)),
        "textDocument/rename" => {
            let of: lsp::RenameParams = read(params)?;
            let at = text.offset(of.text_document_position_params.position);
            match references::rename(view, at, &of.new_name) {
                Ok(edit) => value(&edit),
                Err(why) => Err(Refused::new(ErrorCode::RequestFailed, why)),
            }
        }
        "textDocument/documentSymbol" => value(&symbols::of(view.document)),
        "textDocument/foldingRange" => value(&folding::of(view.document)),
        "textDocument/selectionRange" => {
            with(params, |of: lsp::SelectionRangeParams| selection::of(view.document, &of.positions))
        }
        "textDocument/semanticTokens/full" => value(&tokens::of(view.document)),
        "textDocument/formatting" => value(&formatting::of(view.document, None)),
        "textDocument/rangeFormatting" => with(params, |of: lsp::DocumentRangeFormattingParams| {
            formatting::of(view.document, Some(of.range))
        }),
        "textDocument/codeAction" => {
            with(params, |of: lsp::CodeActionParams| actions::of(view, &text.range(of.range)))
        }
        "textDocument/inlayHint" => {
            with(params, |of: lsp::InlayHintParams| hints::of(view, text.range(of.range)))
        }
        "textDocument/codeLens" => value(&lenses::of(view)),
        "coec/picture" => with(params, |of: picture::PictureParams| picture::of(view, of.position)),
        _ => Err(unknown(method)),
    }
}

/// Whether answering takes the compiler's word, or the text alone will do.
pub(crate) fn needs_analysis(method: &str) -> bool {
    [
        "textDocument/completion",
        "textDocument/hover",
        "textDocument/codeAction",
        "textDocument/inlayHint",
        "textDocument/codeLens",
        "coec/picture",
    ]
    .contains(&method)
}

pub(crate) fn unknown(method: &str) -> Refused {
    Refused::new(ErrorCode::MethodNotFound, format!("there is no request `{method}`"))
}

fn with<P: DeserializeOwned, R: Serialize>(params: Value, answer: impl FnOnce(P) -> R) -> Answer {
    value(&answer(read(params)?))
}

pub(crate) fn read<P: DeserializeOwned>(params: Value) -> Result<P, Refused> {
    serde_json::from_value(params).map_err(|error| Refused::new(ErrorCode::InvalidParams, error.to_string()))
}

fn value<R: Serialize>(result: &R) -> Answer {
    serde_json::to_value(result).map_err(|error| Refused::new(ErrorCode::InternalError, error.to_string()))
}
