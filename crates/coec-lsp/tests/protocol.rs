//! What only happens when messages come faster than they are answered, and texts that nobody would save.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use coec_lang::MapLoader;
use coec_lsp::{Ended, Host, ServeError, serve};
use crossbeam_channel::unbounded;
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A client whose messages wait until the server begins.
struct Client {
    connection: Connection,
    server: Option<Connection>,
    next: i32,
}

impl Client {
    fn new() -> Self {
        let (to_server, from_client) = unbounded();
        let (to_client, from_server) = unbounded();
        let server = Connection { sender: to_client, receiver: from_client };
        let connection = Connection { sender: to_server, receiver: from_server };
        let mut client = Self { connection, server: Some(server), next: 0 };
        client.ask("initialize", json!({ "processId": null, "rootUri": null, "capabilities": {} }));
        client.tell("initialized", json!({}));
        client
    }

    fn ask(&mut self, method: &str, params: Value) -> RequestId {
        self.next += 1;
        let id = RequestId::from(self.next);
        let request = Request { id: id.clone(), method: method.into(), params };
        self.connection.sender.send(Message::Request(request)).unwrap();
        id
    }

    fn tell(&mut self, method: &str, params: Value) {
        let note = Notification { method: method.into(), params };
        self.connection.sender.send(Message::Notification(note)).unwrap();
    }

    fn open(&mut self, text: &str) {
        let document = json!({ "uri": URI, "languageId": "coe", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// Lets the server take everything that was sent, until it has answered that it stops.
    fn run(mut self) -> HashMap<RequestId, Response> {
        let last = self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        self.run_for(&last)
    }

    /// The answers up to this one.
    fn run_for(mut self, last: &RequestId) -> HashMap<RequestId, Response> {
        let server = self.server.take().unwrap();
        let host = Host { disk: Arc::new(MapLoader::new()), explain: |_| None, pages: None, version: "0" };
        let thread: JoinHandle<Result<Ended, ServeError>> = thread::spawn(move || serve(&server, host));
        let mut answers = HashMap::new();
        while !answers.contains_key(last) {
            if let Message::Response(response) = self.connection.receiver.recv().unwrap() {
                answers.insert(response.id.clone(), response);
            }
        }
        // A server whose client is gone ends.
        drop(self.connection);
        assert_eq!(thread.join().unwrap().unwrap(), Ended::Well);
        answers
    }
}

const URI: &str = "untitled:a.coe";

fn document() -> Value {
    json!({ "uri": URI })
}

fn code(response: &Response) -> Option<i32> {
    response.response_result.as_ref().err().map(|error| error.code)
}

#[test]
fn a_request_that_waits_can_be_cancelled() {
    let mut client = Client::new();
    client.open("model a { ffn = moe(k=2, experts=8) }");
    let kept = client.ask("textDocument/codeLens", json!({ "textDocument": document() }));
    let cancelled = client.ask("textDocument/codeLens", json!({ "textDocument": document() }));
    client.tell("$/cancelRequest", json!({ "id": cancelled }));
    let answers = client.run();
    assert_eq!(code(&answers[&kept]), None);
    assert_eq!(code(&answers[&cancelled]), Some(ErrorCode::RequestCanceled as i32));
}

/// A change that was sent before the answer is in the text that the answer is about, or there is none.
#[test]
fn what_was_found_of_another_text_is_not_done() {
    let mut client = Client::new();
    let uri = "file:///nowhere/a.coe";
    let document =
        json!({ "uri": uri, "languageId": "coe", "version": 1, "text": "coe(iter=2, k=2, experts=8)" });
    client.tell("textDocument/didOpen", json!({ "textDocument": document }));
    let arguments = json!([{ "uri": uri, "model": "a" }]);
    let asked = client
        .ask("workspace/executeCommand", json!({ "command": "coec.insertTwin", "arguments": arguments }));
    let change = json!({ "text": "\n\ncoe(iter=2, k=2, experts=8)" });
    let versioned = json!({ "uri": uri, "version": 2 });
    client.tell("textDocument/didChange", json!({ "textDocument": versioned, "contentChanges": [change] }));
    let answers = client.run_for(&asked);
    assert_eq!(code(&answers[&asked]), Some(ErrorCode::ContentModified as i32));
}

#[test]
fn a_file_that_has_no_path_is_a_spec_too() {
    let mut client = Client::new();
    client.open("model a { dim = 64 ffn = moe(k=2, experts=8) }");
    let hover = json!({ "textDocument": document(), "position": { "line": 0, "character": 6 } });
    let hover = client.ask("textDocument/hover", hover);
    let answer = client.run().remove(&hover).unwrap().response_result.unwrap();
    assert!(answer["contents"]["value"].as_str().unwrap().contains("width 64"), "{answer}");
}

/// Everything that can be asked of a text.
const METHODS: [&str; 17] = [
    "completion",
    "signatureHelp",
    "hover",
    "definition",
    "references",
    "documentHighlight",
    "prepareRename",
    "rename",
    "documentSymbol",
    "foldingRange",
    "selectionRange",
    "semanticTokens/full",
    "formatting",
    "rangeFormatting",
    "codeAction",
    "inlayHint",
    "codeLens",
];

fn ask_everything(client: &mut Client, line: u32, character: u32) -> Vec<RequestId> {
    let place = json!({ "line": line, "character": character });
    let params = json!({
        "textDocument": document(), "position": place, "positions": [place], "newName": "new",
        "range": { "start": { "line": 0, "character": 0 }, "end": place },
        "context": { "includeDeclaration": true, "diagnostics": [] },
        "options": { "tabSize": 4, "insertSpaces": true },
    });
    METHODS.iter().map(|method| client.ask(&format!("textDocument/{method}"), params.clone())).collect()
}

const TEXT: &str = "\
/// Kept é𝄞.
model a {
    layers = 2
    ffn = coe(iter=2, k=2, experts=8, residual=delta)
    ffn[0] = dense(64)
}
let w = 3
budget a { params.total <= 4M +- 5% @ batch=2 }
";

/// What is typed.
const PIECES: [&str; 25] = [
    "",
    "model b {",
    "}",
    "(",
    ")",
    "[",
    "=",
    ",",
    "\"",
    "coe(",
    "ffn",
    "budget {",
    "params.",
    "<= 3M",
    "// ",
    "/*",
    "é𝄞",
    "\n",
    "\r\n",
    "let ",
    "extends \"",
    "@ ",
    "k=9",
    "..",
    "#",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// No text that somebody may be in the middle of typing breaks anything.
    #[test]
    fn half_typed_texts_break_nothing(
        edits in prop::collection::vec(((0u32..9, 0u32..50), (0u32..9, 0u32..50), prop::sample::select(&PIECES)), 1..12)
    ) {
        let mut client = Client::new();
        client.open(TEXT);
        let mut asked = Vec::new();
        for (version, (start, end, text)) in edits.iter().enumerate() {
            let (start, end) = (start.min(end), start.max(end));
            let [start, end] = [start, end].map(|(line, character)| json!({ "line": line, "character": character }));
            let change = json!({ "range": { "start": start, "end": end }, "text": text });
            let versioned = json!({ "uri": URI, "version": version + 2 });
            client.tell("textDocument/didChange", json!({ "textDocument": versioned, "contentChanges": [change] }));
            asked.extend(ask_everything(&mut client, version as u32 % 9, 7 * version as u32 % 50));
        }
        let answers = client.run();
        for id in asked {
            // Names that cannot be changed are refused; nothing else is.
            let refused = code(&answers[&id]).filter(|code| *code != ErrorCode::RequestFailed as i32);
            prop_assert_eq!(refused, None);
        }
    }
}
