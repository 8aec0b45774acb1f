//! Messages in, messages out; between them the open texts.
//!
//! One thread does all but the search for a twin, which may take a second. Before each piece of work everything that
//! has come is taken in: changes are applied, requests that were cancelled are answered as that, and texts that
//! changed several times are looked at once. With nothing to do the thread sleeps.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use coec_lang::SETTINGS;
use crossbeam_channel::{Receiver, Sender, select, unbounded};
use gen_lsp_types as lsp;
use gen_lsp_types::Uri;
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use serde::Serialize;
use serde_json::{Value, json};

use crate::analysis::Analysis;
use crate::capabilities::Client;
use crate::features::{View, diagnostics, lenses};
use crate::pages::Pages;
use crate::requests::{Answer, Feature, Refused, document_of, feature, read};
use crate::snapshot::{Document, Snapshot, path_of};
use crate::text::Text;
use crate::{Ended, Host};

pub(crate) struct Server<'c> {
    connection: &'c Connection,
    client: Client,
    pages: Pages,
    texts: Snapshot,
    /// What the compiler said of open files.
    analyses: HashMap<Uri, Arc<Analysis>>,
    /// Open files that changed, or that read one which did, since they were last looked at.
    changed: HashSet<Uri>,
    /// Those of them whose own text is as it was: their client does not ask for figures by itself.
    unasked: HashSet<Uri>,
    /// What is said of each file, by the open file that was looked at.
    said: HashMap<Uri, HashMap<Uri, Vec<lsp::Diagnostic>>>,
    waiting: VecDeque<Message>,
    /// Requests that another thread works on; cancelled ones are taken away.
    working: HashSet<RequestId>,
    finished: (Sender<Finished>, Receiver<Finished>),
    requests: i32,
    /// Whether the client has said to stop.
    is_ending: bool,
}

/// What another thread has found, in which version of a document.
struct Finished {
    id: RequestId,
    document: Arc<Document>,
    found: Result<lsp::WorkspaceEdit, String>,
}

impl<'c> Server<'c> {
    pub fn new(connection: &'c Connection, host: Host, client: Client) -> Self {
        let texts = Snapshot {
            disk: host.disk,
            open: Arc::default(),
            encoding: client.encoding,
            folders: Arc::new(client.folders.clone()),
            versions: client.versions,
            snippets: client.snippets,
        };
        Self {
            connection,
            client,
            pages: Pages::new(host.explain, host.pages),
            texts,
            analyses: HashMap::new(),
            changed: HashSet::new(),
            unasked: HashSet::new(),
            said: HashMap::new(),
            waiting: VecDeque::new(),
            working: HashSet::new(),
            finished: unbounded(),
            requests: 0,
            is_ending: false,
        }
    }

    pub fn run(mut self) -> Ended {
        loop {
            if let Some(ended) = self.answer_waiting() {
                return ended;
            }
            if let Some(uri) = self.changed.iter().next().cloned() {
                self.look_at(&uri);
                continue;
            }
            select! {
                recv(self.connection.receiver) -> message => match message {
                    Ok(message) => self.accept(message),
                    Err(_) => return Ended::Well,
                },
                recv(self.finished.1) -> finished => {
                    // What was found is of the text that there was: changes that have come in between go first.
                    if let Some(ended) = self.answer_waiting() {
                        return ended;
                    }
                    if let Ok(finished) = finished {
                        self.hand_out(finished);
                    }
                }
            }
        }
    }

    /// Takes in and answers everything that has come; how the client ended the server, if it did.
    fn answer_waiting(&mut self) -> Option<Ended> {
        loop {
            while let Ok(message) = self.connection.receiver.try_recv() {
                self.accept(message);
            }
            let message = self.waiting.pop_front()?;
            let ended = self.message(message);
            if ended.is_some() {
                return ended;
            }
        }
    }

    /// Lets a message wait for its turn; one that cancels another has none.
    fn accept(&mut self, message: Message) {
        match message {
            Message::Notification(note) if note.method == "$/cancelRequest" => self.cancel(&note.params),
            message => self.waiting.push_back(message),
        }
    }

    fn cancel(&mut self, params: &Value) {
        let id = params.get("id").cloned().unwrap_or_default();
        let Ok(id) = serde_json::from_value::<RequestId>(id) else { return };
        let before = self.waiting.len();
        self.waiting.retain(|message| !matches!(message, Message::Request(request) if request.id == id));
        if self.waiting.len() < before || self.working.remove(&id) {
            self.reply(id, Err(Refused::new(ErrorCode::RequestCanceled, "cancelled")));
        }
    }

    /// Answers what another thread has worked on.
    fn hand_out(&mut self, finished: Finished) {
        let Finished { id, document, found } = finished;
        if !self.working.remove(&id) {
            return;
        }
        let now = self.texts.open.get(&document.uri);
        if now.is_none_or(|now| now.version != document.version) {
            let refused =
                Refused::new(ErrorCode::ContentModified, "the text has changed in between; try again");
            return self.reply(id, Err(refused));
        }
        match found {
            Ok(edit) => {
                self.ask("workspace/applyEdit", &json!({ "label": "compare with MoE", "edit": edit }));
                self.reply(id, Ok(Value::Null));
            }
            Err(why) => self.reply(id, Err(Refused::new(ErrorCode::RequestFailed, why))),
        }
    }

    /// Answers a message; how it ended the server, if it did.
    fn message(&mut self, message: Message) -> Option<Ended> {
        match message {
            Message::Request(request) => match request.method.as_str() {
                "shutdown" => {
                    self.is_ending = true;
                    self.reply(request.id, Ok(Value::Null));
                }
                _ if self.is_ending => {
                    let refused = Refused::new(ErrorCode::InvalidRequest, "the server was told to stop");
                    self.reply(request.id, Err(refused));
                }
                _ => self.request(request),
            },
            Message::Notification(note) if note.method == "exit" => {
                return Some(if self.is_ending { Ended::Well } else { Ended::WithoutShutdown });
            }
            Message::Notification(note) => self.notification(note),
            // What the client made of an edit or a refresh changes nothing here.
            Message::Response(_) => {}
        }
        None
    }

    fn request(&mut self, request: Request) {
        let Request { id, method, params } = request;
        if method == "workspace/executeCommand" {
            return self.execute(id, params);
        }
        let answer = match feature(&method) {
            Some(feature) => self.answer(&feature, params),
            None => Err(Refused::new(ErrorCode::MethodNotFound, format!("there is no request `{method}`"))),
        };
        self.reply(id, answer);
    }

    fn answer(&mut self, feature: &Feature, params: Value) -> Answer {
        let refused = |why: String| Refused::new(ErrorCode::InvalidParams, why);
        let uri = document_of(&params).ok_or_else(|| refused("`textDocument.uri` is missing".into()))?;
        let document = self.texts.open.get(&uri).cloned();
        let document = document.ok_or_else(|| refused(format!("`{}` is not open", uri.as_str())))?;
        let analysis = match feature.reads_figures {
            true => self.analysis(&document),
            false => Arc::default(),
        };
        let view = View { texts: &self.texts, document: &document, analysis: &analysis };
        (feature.answer)(&view, params)
    }

    /// Searches a twin, in a thread of its own.
    fn execute(&mut self, id: RequestId, params: Value) {
        let wanted = read(params).and_then(|params: lsp::ExecuteCommandParams| {
            if params.command != lenses::TWIN {
                return Err(Refused::new(
                    ErrorCode::InvalidParams,
                    format!("there is no command `{}`", params.command),
                ));
            }
            let first = params.arguments.unwrap_or_default().into_iter().next();
            read::<lenses::TwinParams>(first.unwrap_or_default())
        });
        let found = wanted.and_then(|wanted| {
            let document = self.texts.open.get(&wanted.uri).cloned();
            let document =
                document.ok_or_else(|| Refused::new(ErrorCode::InvalidParams, "the file is not open"))?;
            Ok((self.analysis(&document), document, wanted.model))
        });
        let (analysis, document, model) = match found {
            Ok(found) => found,
            Err(refused) => return self.reply(id, Err(refused)),
        };
        let (texts, sender) = (self.texts.clone(), self.finished.0.clone());
        self.working.insert(id.clone());
        thread::spawn(move || {
            let view = View { texts: &texts, document: &document, analysis: &analysis };
            // The server is gone if nobody takes what was found.
            let found = lenses::twin(&view, &model);
            drop(sender.send(Finished { id, document: document.clone(), found }));
        });
    }

    fn notification(&mut self, note: Notification) {
        let Notification { method, params } = note;
        match method.as_str() {
            "initialized" => self.watch(),
            "textDocument/didOpen" => {
                if let Ok(lsp::DidOpenTextDocumentParams { text_document: item }) =
                    serde_json::from_value(params)
                {
                    let text = Text::new(item.text, self.client.encoding);
                    let path = path_of(&item.uri);
                    let one = self.texts.disk.canonical(&path);
                    self.put(item.uri, path, one, item.version, text);
                }
            }
            "textDocument/didChange" => {
                if let Ok(change) = serde_json::from_value(params) {
                    self.change(change);
                }
            }
            "textDocument/didClose" => {
                if let Some(uri) = document_of(&params) {
                    self.close(&uri);
                }
            }
            "workspace/didChangeWatchedFiles" => {
                if let Ok(lsp::DidChangeWatchedFilesParams { changes }) = serde_json::from_value(params) {
                    for change in changes {
                        let path = self.texts.disk.canonical(&path_of(&change.uri));
                        self.touched(&path, None);
                    }
                }
            }
            "workspace/didChangeWorkspaceFolders" => {
                if let Ok(lsp::DidChangeWorkspaceFoldersParams { event }) = serde_json::from_value(params) {
                    let mut folders = self.texts.folders.as_ref().clone();
                    folders.retain(|folder| event.removed.iter().all(|gone| path_of(&gone.uri) != *folder));
                    folders.extend(event.added.iter().map(|new| path_of(&new.uri)));
                    self.texts.folders = Arc::new(folders);
                }
            }
            _ => {}
        }
    }

    /// Takes a text for what is open under a name.
    fn put(&mut self, uri: Uri, path: PathBuf, one: PathBuf, version: i32, text: Text) {
        self.changed.insert(uri.clone());
        self.unasked.remove(&uri);
        Arc::make_mut(&mut self.texts.open).put(Document::new(uri.clone(), path, one.clone(), version, text));
        self.touched(&one, Some(&uri));
    }

    fn change(&mut self, params: lsp::DidChangeTextDocumentParams) {
        let lsp::VersionedTextDocumentIdentifier { version, text_document_identifier } = params.text_document;
        let Some(document) = self.texts.open.get(&text_document_identifier.uri).cloned() else { return };
        let mut text = document.text.clone();
        for change in params.content_changes {
            text = match change {
                lsp::TextDocumentContentChangeEvent::TextDocumentContentChangePartial(part) => {
                    text.with(part.range, &part.text)
                }
                lsp::TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(whole) => {
                    Text::new(whole.text, self.client.encoding)
                }
            };
        }
        self.put(document.uri.clone(), document.path.clone(), document.one.clone(), version, text);
    }

    fn close(&mut self, uri: &Uri) {
        let Some(document) = Arc::make_mut(&mut self.texts.open).remove(uri) else { return };
        self.analyses.remove(uri);
        self.changed.remove(uri);
        self.unasked.remove(uri);
        let before = self.said.remove(uri).unwrap_or_default();
        self.publish(before.into_keys());
        self.touched(&document.one, None);
    }

    /// Notes that a file changed: open files for which it was read must be looked at again.
    fn touched(&mut self, one: &Path, by: Option<&Uri>) {
        let readers = self.analyses.iter().filter(|(_, analysis)| analysis.read.contains(one));
        let readers: Vec<Uri> = readers.map(|(reader, _)| reader.clone()).collect();
        for reader in readers {
            self.analyses.remove(&reader);
            if by != Some(&reader) {
                self.unasked.insert(reader.clone());
            }
            self.changed.insert(reader);
        }
    }

    /// What the compiler says of an open file, now.
    fn analysis(&mut self, document: &Document) -> Arc<Analysis> {
        if self.changed.contains(&document.uri) || !self.analyses.contains_key(&document.uri) {
            self.look_at(&document.uri);
        }
        self.analyses.get(&document.uri).cloned().unwrap_or_default()
    }

    /// Has the compiler look at an open file, and tells the client what it says.
    fn look_at(&mut self, uri: &Uri) {
        self.changed.remove(uri);
        let Some(document) = self.texts.open.get(uri).cloned() else { return };
        let analysis = Arc::new(Analysis::of(&self.texts, &document.path));
        let found = diagnostics::of(&self.texts, &document, &analysis, &mut self.pages);
        self.analyses.insert(uri.clone(), analysis);
        let before = self.said.insert(uri.clone(), found.clone()).unwrap_or_default();
        let all: HashSet<Uri> = before.into_keys().chain(found.into_keys()).collect();
        self.publish(all);
        if self.unasked.remove(uri) {
            if self.client.refreshes_hints {
                self.ask("workspace/inlayHint/refresh", &Value::Null);
            }
            if self.client.refreshes_lenses {
                self.ask("workspace/codeLens/refresh", &Value::Null);
            }
        }
    }

    /// Tells the client everything that is said of some files.
    fn publish(&mut self, files: impl IntoIterator<Item = Uri>) {
        for uri in files {
            let mut all: Vec<lsp::Diagnostic> = Vec::new();
            let said = self.said.values().filter_map(|said| said.get(&uri)).flatten();
            for one in said {
                if !all.contains(one) {
                    all.push(one.clone());
                }
            }
            all.sort_by_key(|one| (one.range.start.line, one.range.start.character));
            let version = self.texts.open.get(&uri).map(|document| document.version);
            self.tell(
                "textDocument/publishDiagnostics",
                &lsp::PublishDiagnosticsParams { uri, version, diagnostics: all },
            );
        }
    }

    /// Asks the client to tell of specs that change on the disk.
    fn watch(&mut self) {
        if !self.client.watches {
            return;
        }
        let watchers = ["*.coe", SETTINGS].map(|name| json!({ "globPattern": format!("**/{name}") }));
        let registration = json!({
            "id": "specs",
            "method": "workspace/didChangeWatchedFiles",
            "registerOptions": { "watchers": watchers },
        });
        self.ask("client/registerCapability", &json!({ "registrations": [registration] }));
    }

    fn ask(&mut self, method: &str, params: &Value) {
        self.requests += 1;
        let request = Request { id: self.requests.into(), method: method.into(), params: params.clone() };
        self.send(Message::Request(request));
    }

    fn tell(&mut self, method: &str, params: &impl Serialize) {
        if let Ok(params) = serde_json::to_value(params) {
            self.send(Message::Notification(Notification { method: method.into(), params }));
        }
    }

    fn reply(&mut self, id: RequestId, answer: Answer) {
        let response = match answer {
            Ok(result) => Response::new_ok(id, result),
            Err(Refused { code, message }) => Response::new_err(id, code as i32, message),
        };
        self.send(Message::Response(response));
    }

    /// A client that has gone takes nothing more; the next read says so.
    fn send(&mut self, message: Message) {
        drop(self.connection.sender.send(message));
    }
}
