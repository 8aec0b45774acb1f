//! An editor, as far as a language server can tell.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use super::Shell;

/// A client of `coec lsp`, one request after the other.
pub struct Editor<'s> {
    shell: &'s Shell,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    requests: i64,
    /// What the server said it can.
    pub capabilities: Value,
    /// What is said of each file, as it was last published.
    pub said: HashMap<String, Vec<Value>>,
    /// What the server asked of the client, in order.
    pub asked: Vec<Value>,
}

impl<'s> Editor<'s> {
    /// A client with these capabilities in a folder.
    pub fn new(shell: &'s Shell, capabilities: &Value) -> Self {
        let mut command = shell.command(&["lsp"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let (said, asked) = (HashMap::new(), Vec::new());
        let mut editor =
            Self { shell, child, input, output, requests: 0, capabilities: Value::Null, said, asked };
        let folder = json!([{ "uri": editor.uri(""), "name": "specs" }]);
        let params = json!({ "processId": null, "rootUri": null, "workspaceFolders": folder, "capabilities": capabilities });
        let begun = editor.ask("initialize", &params).unwrap();
        assert_eq!(begun["serverInfo"]["name"], "coec");
        editor.capabilities = begun["capabilities"].clone();
        editor.tell("initialized", &json!({}));
        editor
    }

    pub fn uri(&self, name: &str) -> String {
        let folder = self.shell.path().canonicalize().unwrap();
        format!("file://{}/{name}", folder.display()).trim_end_matches('/').into()
    }

    pub fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let input = self.input.as_mut().unwrap();
        write!(input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        input.flush().unwrap();
    }

    pub fn tell(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// The answer to a request, or its error.
    pub fn ask(&mut self, method: &str, params: &Value) -> Result<Value, Value> {
        self.requests += 1;
        let id = self.requests;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        self.answer(id)
    }

    /// The answer to the request of a number; what comes before it is noted.
    pub fn answer(&mut self, id: i64) -> Result<Value, Value> {
        loop {
            let message = self.receive();
            match (message.get("method"), message.get("id")) {
                (None, Some(other)) if *other == id => {
                    return match message.get("error") {
                        Some(error) => Err(error.clone()),
                        None => Ok(message["result"].clone()),
                    };
                }
                (None, _) => panic!("an answer that nobody waits for: {message}"),
                (Some(method), None) if method == "textDocument/publishDiagnostics" => {
                    let params = &message["params"];
                    let said = params["diagnostics"].as_array().unwrap().clone();
                    self.said.insert(params["uri"].as_str().unwrap().to_owned(), said);
                }
                (Some(_), _) => self.asked.push(message),
            }
        }
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", text)) => length = text.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut bytes = vec![0; length];
        self.output.read_exact(&mut bytes).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    pub fn open(&mut self, name: &str, text: &str) {
        let document = json!({ "uri": self.uri(name), "languageId": "coe", "version": 1, "text": text });
        self.tell("textDocument/didOpen", &json!({ "textDocument": document }));
    }

    /// Puts `new` in place of what stands between two positions.
    pub fn edit(&mut self, name: &str, start: (u32, u32), end: (u32, u32), new: &str) {
        let change = json!({ "range": range(start, end), "text": new });
        let document = json!({ "uri": self.uri(name), "version": 2 });
        self.tell("textDocument/didChange", &json!({ "textDocument": document, "contentChanges": [change] }));
    }

    /// A request about a document, with what it takes besides.
    pub fn about(&mut self, name: &str, method: &str, params: Value) -> Result<Value, Value> {
        let mut all = json!({ "textDocument": { "uri": self.uri(name) } });
        all.as_object_mut().unwrap().extend(params.as_object().cloned().unwrap_or_default());
        self.ask(&format!("textDocument/{method}"), &all)
    }

    /// What is said of a document, once everything that was sent before has been taken in.
    pub fn said(&mut self, name: &str) -> Vec<Value> {
        // Hints need the compiler's word, so that it has been published before them.
        self.about(name, "inlayHint", json!({ "range": range((0, 0), (999, 0)) })).unwrap();
        self.said.get(&self.uri(name)).cloned().unwrap_or_default()
    }

    /// Says goodbye; the exit code.
    pub fn end(mut self) -> Option<i32> {
        self.ask("shutdown", &Value::Null).unwrap();
        self.exit()
    }

    /// Ends the server without asking it to shut down first; its exit code.
    pub fn exit(mut self) -> Option<i32> {
        self.tell("exit", &Value::Null);
        self.vanish()
    }

    /// Goes away without a word; the exit code.
    pub fn vanish(mut self) -> Option<i32> {
        self.input = None;
        self.child.wait().unwrap().code()
    }
}

pub fn position((line, character): (u32, u32)) -> Value {
    json!({ "line": line, "character": character })
}

pub fn range(start: (u32, u32), end: (u32, u32)) -> Value {
    json!({ "start": position(start), "end": position(end) })
}

/// A client that can do everything.
pub fn able() -> Value {
    json!({
        "textDocument": { "completion": { "completionItem": { "snippetSupport": true } } },
        "workspace": { "inlayHint": { "refreshSupport": true } },
    })
}

/// The parameters of a request about a place.
pub fn at(line: u32, character: u32) -> Value {
    json!({ "position": position((line, character)) })
}

/// Where a range is: `3:4-3:7`, or a place where it is empty.
pub fn place(range: &Value) -> String {
    let at = |end: &Value| format!("{}:{}", end["line"], end["character"]);
    match (at(&range["start"]), at(&range["end"])) {
        (start, end) if start == end => start,
        (start, end) => format!("{start}-{end}"),
    }
}

/// What each of the values has under a key.
pub fn texts<'v>(values: &'v Value, key: &str) -> Vec<&'v str> {
    values.as_array().unwrap().iter().map(|value| value[key].as_str().unwrap()).collect()
}

/// A text with an edit applied; in ASCII.
pub fn applied(text: &str, edit: &Value) -> String {
    let offset = |end: &Value| {
        let line = end["line"].as_u64().unwrap() as usize;
        text.split_inclusive('\n').take(line).map(str::len).sum::<usize>()
            + end["character"].as_u64().unwrap() as usize
    };
    let (start, end) = (offset(&edit["range"]["start"]), offset(&edit["range"]["end"]));
    [&text[..start], edit["newText"].as_str().unwrap(), &text[end..]].concat()
}
