//! From a keystroke to the diagnostics of a spec of a thousand lines, through the server and its messages.
//!
//! `cargo bench -p coec-lsp`. The peer is `load` and `check` of the same text, which is all that the compiler does: the
//! rest is what the server adds.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::thread;

use coec_lang::{MapLoader, check, load};
use coec_lsp::{Host, serve};
use criterion::{Criterion, criterion_group, criterion_main};
use crossbeam_channel::unbounded;
use lsp_server::{Connection, Message, Notification, Request};
use serde_json::{Value, json};

/// Models of which each has a budget, 20 lines together.
const MODELS: usize = 50;

/// A spec of a thousand lines.
fn spec() -> String {
    let mut text = String::new();
    for model in 0..MODELS {
        let experts = 32 + model;
        let _ = writeln!(
            text,
            "/// Model {model} of the file.
model m{model} {{
    vocab     = 32000
    context   = 2Ki
    dim       = 1024
    layers    = 24
    attention = mha(heads=16, kv_heads=4, qk_norm=head, rope=rope(1e6))
    ffn       = coe(iter=2, k=4, experts={experts}, shared=1, hidden=704, residual=delta,
                    balance=[bias(rate=0.001), seq_aux(alpha=0.0001)])
    ffn[0]    = dense(hidden=2816)
}}

budget m{model} {{
    params.total   <= 9G
    params.active  <= 1G
    flops.forward  <= 4G
    memory.train   <= 400GiB @ batch=4
    experts.calls  == 10 per layer
}}
"
        );
    }
    text
}

fn note(method: &str, params: Value) -> Message {
    Message::Notification(Notification { method: method.into(), params })
}

/// A client of a server in a thread of its own, with the spec open.
fn client(text: &str) -> Connection {
    let (to_server, from_client) = unbounded();
    let (to_client, from_server) = unbounded();
    let server = Connection { sender: to_client, receiver: from_client };
    let client = Connection { sender: to_server, receiver: from_server };
    let host = Host { disk: Arc::new(MapLoader::new()), explain: |_| None, pages: None, version: "0" };
    thread::spawn(move || serve(&server, host).is_ok());
    let begin = json!({ "processId": null, "rootUri": null, "capabilities": {} });
    let begin = Request { id: 1.into(), method: "initialize".into(), params: begin };
    let send = |message| client.sender.send(message).expect("the server is there");
    send(Message::Request(begin));
    send(note("initialized", json!({})));
    let document = json!({ "uri": URI, "languageId": "coe", "version": 1, "text": text });
    send(note("textDocument/didOpen", json!({ "textDocument": document })));
    wait(&client);
    client
}

const URI: &str = "untitled:long.coe";

/// Waits for the next diagnostics; how many there are.
fn wait(client: &Connection) -> usize {
    loop {
        match client.receiver.recv().expect("the server is there") {
            Message::Notification(note) if note.method == "textDocument/publishDiagnostics" => {
                return note.params["diagnostics"].as_array().map_or(0, Vec::len);
            }
            _ => {}
        }
    }
}

/// Puts a digit in place of one.
fn typed(client: &Connection, line: u32, character: u32, digit: &str) {
    let range = json!({
        "start": { "line": line, "character": character }, "end": { "line": line, "character": character + 1 },
    });
    let change = json!({ "range": range, "text": digit });
    let params = json!({ "textDocument": { "uri": URI, "version": 2 }, "contentChanges": [change] });
    client.sender.send(note("textDocument/didChange", params)).expect("the server is there");
}

fn keystroke(c: &mut Criterion) {
    let text = spec();
    assert_eq!(text.lines().count(), 20 * MODELS);
    let line = text.lines().position(|line| line.starts_with("    layers")).unwrap_or_default() as u32;
    let mut group = c.benchmark_group("a spec of 1,000 lines");
    group.bench_function("load and check", |b| {
        let files = MapLoader::new().with("long.coe", text.as_str());
        b.iter(|| {
            let specs = load("long.coe", &[], &files).unwrap_or_default();
            let reports = specs.iter().map(|spec| check(spec, &files).is_ok()).filter(|kept| *kept);
            assert_eq!(black_box(reports.count()), MODELS);
        });
    });
    let client = client(&text);
    let mut digits = ["3", "4"].iter().cycle();
    group.bench_function("keystroke to diagnostics, nothing wrong", |b| {
        b.iter(|| {
            typed(&client, line, 17, digits.next().unwrap_or(&"2"));
            assert_eq!(wait(&client), 0);
        });
    });
    group.bench_function("keystroke to diagnostics, an error", |b| {
        b.iter(|| {
            typed(&client, line, 17, "x");
            assert_eq!(wait(&client), 1);
            typed(&client, line, 17, "4");
            assert_eq!(wait(&client), 0);
        });
    });
    // A budget that breaks is searched for what would close its gap.
    group.bench_function("keystroke to diagnostics, broken budgets", |b| {
        b.iter(|| {
            typed(&client, line, 16, "9");
            assert!(wait(&client) > 0);
            typed(&client, line, 16, "2");
            assert_eq!(wait(&client), 0);
        });
    });
    group.finish();
}

criterion_group!(benches, keystroke);
criterion_main!(benches);
