//! What the client can do, and what it is told that the server can.

use std::path::PathBuf;

use gen_lsp_types::{InitializeParams, PositionEncodingKind, WorkspaceFolders};
use serde_json::{Value, json};

use crate::features::{lenses, tokens};
use crate::snapshot::path_of;
use crate::text::Encoding;

/// What is known of the client.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client {
    /// What positions count.
    pub encoding: Encoding,
    /// Whether completions may have tab stops.
    pub snippets: bool,
    /// Whether it asks again for hints and lenses when told so.
    pub refreshes_hints: bool,
    pub refreshes_lenses: bool,
    /// Whether edits may say of which version of a text they are.
    pub versions: bool,
    /// Whether it tells of changed files if asked to.
    pub watches: bool,
    /// The folders it works in.
    pub folders: Vec<PathBuf>,
}

impl Client {
    #[allow(deprecated)] // what older clients give in place of folders
    pub fn of(params: &InitializeParams) -> Self {
        // As JSON, an absent branch is as good as an absent leaf.
        let can = serde_json::to_value(&params.capabilities).unwrap_or_default();
        let flag = |path: &str| can.pointer(path).and_then(Value::as_bool).unwrap_or(false);
        let general = params.capabilities.general.as_ref();
        let encodings = general.and_then(|general| general.position_encodings.clone()).unwrap_or_default();
        let folders = match &params.workspace_folders_initialize_params.workspace_folders {
            Some(WorkspaceFolders::WorkspaceFolderList(folders)) => {
                folders.iter().map(|folder| path_of(&folder.uri)).collect()
            }
            _ => params.root_uri.iter().map(path_of).collect(),
        };
        Self {
            encoding: match encodings.contains(&PositionEncodingKind::UTF8) {
                true => Encoding::Utf8,
                false => Encoding::Utf16,
            },
            snippets: flag("/textDocument/completion/completionItem/snippetSupport"),
            refreshes_hints: flag("/workspace/inlayHint/refreshSupport"),
            refreshes_lenses: flag("/workspace/codeLens/refreshSupport"),
            versions: flag("/workspace/workspaceEdit/documentChanges"),
            watches: flag("/workspace/didChangeWatchedFiles/dynamicRegistration"),
            folders,
        }
    }
}

/// The answer to the client's first request.
pub(crate) fn answer(client: &Client, version: &str) -> Value {
    let encoding = match client.encoding {
        Encoding::Utf8 => "utf-8",
        Encoding::Utf16 => "utf-16",
    };
    json!({
        "serverInfo": { "name": "coec", "version": version },
        "capabilities": {
            "positionEncoding": encoding,
            // Open and closed, and changes piece by piece.
            "textDocumentSync": { "openClose": true, "change": 2, "save": false },
            "completionProvider": { "triggerCharacters": ["(", "=", ".", "\"", "[", ",", " "] },
            "signatureHelpProvider": { "triggerCharacters": ["(", ","], "retriggerCharacters": ["="] },
            "hoverProvider": true,
            "definitionProvider": true,
            "referencesProvider": true,
            "documentHighlightProvider": true,
            "renameProvider": { "prepareProvider": true },
            "documentSymbolProvider": true,
            "foldingRangeProvider": true,
            "selectionRangeProvider": true,
            "semanticTokensProvider": { "legend": tokens::legend(), "full": true },
            "documentFormattingProvider": true,
            "documentRangeFormattingProvider": true,
            "codeActionProvider": { "codeActionKinds": ["quickfix"] },
            "inlayHintProvider": true,
            "codeLensProvider": {},
            "executeCommandProvider": { "commands": [lenses::TWIN] },
            "workspace": { "workspaceFolders": { "supported": true, "changeNotifications": true } },
            "experimental": { "picture": true },
        },
    })
}
