//! `coec lsp` through the protocol, as an editor meets it.

mod common;

use std::fmt::Write as _;

use common::Shell;
use common::editor::{Editor, able, applied, at, place, position, range, texts};
use serde_json::{Value, json};

const CHAIN: &str = "\
/// A chain of experts.
model chain {
    vocab     = 4096
    dim       = 128
    attention = mha(heads=4)
    ffn       = coe(iter=2, k=2, experts=31, shared=1, hidden=width, residual=delta)
    ffn[0]    = dense(hidden=256)
}

let width = 64

budget {
    params.total   <= 8M
    experts.calls  == 6 per layer
    measured.flops <= flops.train +- 5%
}
";

#[test]
fn figures_stand_behind_what_they_are_about() {
    let shell = Shell::new();
    let mut editor = Editor::new(&shell, &able());
    editor.open("a.coe", CHAIN);
    let hints = editor.about("a.coe", "inlayHint", json!({ "range": range((0, 0), (99, 0)) })).unwrap();
    let lines: Vec<_> = CHAIN.lines().collect();
    let mut shown = String::new();
    for hint in hints.as_array().unwrap() {
        let line = lines[hint["position"]["line"].as_u64().unwrap() as usize];
        let _ = writeln!(shown, "{line}  {}", hint["label"].as_str().unwrap());
    }
    insta::assert_snapshot!(shown);
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn hover_says_what_a_token_means_and_comes_to() {
    let shell = Shell::new();
    let mut editor = Editor::new(&shell, &able());
    editor.open("a.coe", CHAIN);
    let mut shown = String::new();
    for (line, character) in
        [(1, 8), (3, 5), (5, 17), (5, 22), (5, 30), (5, 58), (5, 72), (9, 6), (12, 8), (12, 22)]
    {
        let hover = editor.about("a.coe", "hover", at(line, character)).unwrap();
        let said = hover["contents"]["value"].as_str().unwrap_or("nothing");
        let _ = writeln!(shown, "=== {line}:{character}, {}\n{said}\n", place(&hover["range"]));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn completions_come_from_the_block_tables() {
    let shell = Shell::new();
    shell.write("other.coe", CHAIN);
    let mut editor = Editor::new(&shell, &able());
    let places = [
        "|",
        "model a { |\n}",
        "model a { dim = 64\n    at| = mha(heads=4) }",
        "model a { ffn = | }",
        "model a { ffn = coe(iter=2, |, experts=8) }",
        "model a { ffn = coe(iter=2, k=1, experts=8, residual=| ) }",
        "model a { attention = mha(heads=4, rope=| ) }",
        "model a { ffn = moe(k=1, experts=8, balance=[|]) }",
        "let wide = 3 model a { dim = w| }",
        "model a extends \"|\" { }",
        "model a { ffn = dense() } budget | { }",
        "model a { ffn = dense() } budget { params.| }",
        "model a { ffn = dense() } budget { params.total | }",
        "model a { ffn = dense() } budget { params.total <= |\n }",
        "model a { ffn = dense() } budget { memory.train <= 1G @ | }",
        "model a { ffn = dense() } budget { memory.train <= 1G @ precision=| }",
        "train { data = builtin(| ) }",
        "train { optimizer = adamw(| ) }",
        "// nothing | here",
    ];
    let mut shown = String::new();
    for (number, place) in places.iter().enumerate() {
        let (before, after) = place.split_once('|').unwrap();
        let name = format!("{number}.coe");
        editor.open(&name, &format!("{before}{after}"));
        let (line, character) = (before.matches('\n').count(), before.rsplit('\n').next().unwrap().len());
        let items = editor.about(&name, "completion", at(line as u32, character as u32)).unwrap();
        let _ = writeln!(shown, "{place}");
        for item in items.as_array().unwrap().iter().take(6) {
            let new = item["textEdit"]["newText"].as_str().unwrap().replace('\n', "\\n").replace('\t', "\\t");
            let detail = item["detail"].as_str().unwrap_or_default();
            let _ = writeln!(shown, "    {:<24} {new:<34} {detail}", item["label"].as_str().unwrap());
        }
        let more = items.as_array().unwrap().len().saturating_sub(6);
        if more > 0 {
            let _ = writeln!(shown, "    and {more} more");
        }
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_signature_shows_which_field_is_typed() {
    let shell = Shell::new();
    let mut editor = Editor::new(&shell, &able());
    editor
        .open("a.coe", "model a { attention = mha(heads=4, qk_norm=head) ffn = moe(k=2, balance=[bias()]) }");
    let mut shown = String::new();
    for character in [26, 32, 47, 62, 78, 10] {
        let help = editor.about("a.coe", "signatureHelp", at(0, character)).unwrap();
        let Some(one) = help["signatures"].get(0) else {
            let _ = writeln!(shown, "{character}: nothing");
            continue;
        };
        let label = one["label"].as_str().unwrap();
        let active = help["activeParameter"].as_u64().map_or("none", |active| {
            let at = &one["parameters"][active as usize]["label"];
            &label[at[0].as_u64().unwrap() as usize..at[1].as_u64().unwrap() as usize]
        });
        let _ = writeln!(shown, "{character}: {active} of {label}");
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn errors_are_those_of_the_command() {
    let shell = Shell::new();
    let mut editor = Editor::new(&shell, &able());
    let text =
        "model a {\n    dim = 64\n    dim = 65\n    ffn = coe(iter=2, k=9, experts=8, gate=independant) }\n";
    shell.write("a.coe", text);
    editor.open("a.coe", text);
    let said = editor.said("a.coe");
    // `check --json` gives the same codes at the same places.
    let output = shell.coec(&["check", "a.coe", "--json"]);
    let command: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of_command: Vec<String> = command["specs"][0]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| format!("{} {}:{}", error["code"].as_str().unwrap(), error["line"], error["column"]))
        .collect();
    let of_editor: Vec<String> = said
        .iter()
        .map(|one| {
            let start = &one["range"]["start"];
            let [line, column] = ["line", "character"].map(|key| start[key].as_u64().unwrap() + 1);
            format!("{} {line}:{column}", one["code"].as_str().unwrap())
        })
        .collect();
    assert_eq!(of_editor, of_command);
    assert_eq!(said.len(), 3, "{said:?}");
    let page = said[0]["codeDescription"]["href"].as_str().unwrap();
    let page = std::fs::read_to_string(page.strip_prefix("file://").unwrap()).unwrap();
    assert!(page.starts_with("# coec::resolve::duplicate_field"), "{page}");
    let related = &said[0]["relatedInformation"][0];
    assert_eq!(
        (place(&related["location"]["range"]).as_str(), &related["message"]),
        ("1:4-1:7", &json!("first given here"))
    );

    // What was meant is one action, and doing it takes the error away.
    let last = said.iter().find(|one| one["code"] == "coec::resolve::unknown_word").unwrap();
    let context = json!({ "range": last["range"], "context": { "diagnostics": [last] } });
    let actions = editor.about("a.coe", "codeAction", context).unwrap();
    assert_eq!(texts(&actions, "title"), ["write `independent`"]);
    let edit = &actions[0]["edit"]["changes"][editor.uri("a.coe")][0];
    assert_eq!((edit["newText"].as_str(), &edit["range"]), (Some("independent"), &last["range"]));
}

#[test]
fn unsaved_files_count_and_every_file_hears_of_it() {
    let shell = Shell::new();
    shell.write("base.coe", "model base { ffn = moe(k=2, experts=8) }");
    let top = "model top extends \"base.coe\" { layers = 2 }\nbudget { flops.forward == flops.forward(\"peer.coe\") }\n";
    shell.write("top.coe", top);
    let mut editor = Editor::new(&shell, &able());
    editor.open("top.coe", top);
    let said = editor.said("top.coe");
    assert_eq!(said[0]["code"], "coec::read::not_found", "{said:?}");
    // A file that is nowhere but in the editor.
    editor.open("peer.coe", "model peer { layers = 2 ffn = moe(k=2, experts=8) }");
    assert_eq!(editor.said("top.coe"), Vec::<Value>::new());
    // An error in a file that is open and not saved is said of that file.
    editor.open("base.coe", "model base { ffn = moe(k=2, experts=8) }");
    editor.edit("base.coe", (0, 25), (0, 26), "9");
    editor.said("top.coe");
    let base = editor.said[editor.uri("base.coe").as_str()].clone();
    assert_eq!(base[0]["code"], "coec::verify::k_exceeds_experts", "{base:?}");
    assert_eq!(place(&base[0]["range"]), "0:25-0:26");
    assert_eq!(base.len(), 1, "said once, though two files read it");
    // Without the change the disk is right again.
    let closed = json!({ "textDocument": { "uri": editor.uri("base.coe") } });
    editor.tell("textDocument/didClose", &closed);
    editor.said("top.coe");
    assert!(editor.said[editor.uri("base.coe").as_str()].is_empty());
    let refreshed = editor.asked.iter().any(|asked| asked["method"] == "workspace/inlayHint/refresh");
    assert!(refreshed, "hints of one file may change with another");
}

#[test]
fn names_lead_to_where_they_are_given_and_are_changed_everywhere() {
    let shell = Shell::new();
    shell.write("other.coe", "model other extends \"a.coe#chain\" { layers = 2 }\n");
    let mut editor = Editor::new(&shell, &able());
    let text = format!(
        "{CHAIN}model twin extends \"a.coe#chain\" {{ layers = 8 }}\nbudget chain {{ params.total >= 1M }}\n"
    );
    editor.open("a.coe", &text);
    let target = |found: &Value| {
        let name = found["uri"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        format!("{name} {}", place(&found["range"]))
    };
    let definition = |editor: &mut Editor, line, character| {
        target(&editor.about("a.coe", "definition", at(line, character)).unwrap())
    };
    assert_eq!(definition(&mut editor, 5, 65), "a.coe 9:4-9:9", "a value");
    assert_eq!(definition(&mut editor, 16, 28), "a.coe 1:6-1:11", "what is extended");
    assert_eq!(definition(&mut editor, 17, 8), "a.coe 1:6-1:11", "the model of a budget");
    let places = |found: Value| found.as_array().unwrap().iter().map(target).collect::<Vec<_>>();
    let context = json!({ "position": position((1, 8)), "context": { "includeDeclaration": false } });
    let found = places(editor.about("a.coe", "references", context).unwrap());
    assert_eq!(found, ["a.coe 16:26-16:31", "a.coe 17:7-17:12", "other.coe 0:27-0:32"]);

    let renamed =
        editor.about("a.coe", "rename", json!({ "position": position((1, 8)), "newName": "line" })).unwrap();
    let counts =
        ["a.coe", "other.coe"].map(|name| renamed["changes"][editor.uri(name)].as_array().unwrap().len());
    assert_eq!(counts, [3, 1]);
    let mut refused = |line, character, new: &str| {
        let params = json!({ "position": position((line, character)), "newName": new });
        editor.about("a.coe", "rename", params).unwrap_err()["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(refused(1, 8, "twin"), "there is a `twin` already");
    assert_eq!(refused(9, 6, "swiglu"), "`swiglu` is a word of the language");
    assert_eq!(
        refused(1, 8, "a b"),
        "`a b` is no name: names are made of the letters a to z, digits and `_`"
    );
    assert!(refused(2, 6, "x").starts_with("there is no name here"));
}

#[test]
fn a_broken_budget_is_closed_and_a_pair_made_fair() {
    let shell = Shell::new();
    shell.write(
        "moe.coe",
        "model moe { dim=128 layers=2 attention=mha(heads=4) ffn=moe(k=4, experts=31, hidden=64) }",
    );
    let text = "model a { dim=128 layers=2 attention=mha(heads=4) ffn=coe(iter=2, k=2, experts=31, hidden=128, residual=delta) }
budget { flops.forward == flops.forward(\"moe.coe\") +- 1% }
";
    let mut editor = Editor::new(&shell, &able());
    editor.open("a.coe", text);
    let actions = json!({ "range": range((1, 12), (1, 12)), "context": { "diagnostics": [] } });
    let actions = editor.about("a.coe", "codeAction", actions).unwrap();
    insta::assert_snapshot!(texts(&actions, "title").join("\n"));
    // Each of them makes the rule hold.
    for action in actions.as_array().unwrap() {
        let edit = &action["edit"]["changes"][editor.uri("a.coe")][0];
        editor.open("a.coe", &applied(text, edit));
        assert_eq!(editor.said("a.coe"), Vec::<Value>::new(), "{action}");
    }
}

/// The edits, by file, of the one lens of a document.
fn twin_of(editor: &mut Editor, name: &str) -> Value {
    let lenses = editor.about(name, "codeLens", json!({})).unwrap();
    assert_eq!(lenses.as_array().unwrap().len(), 1, "{lenses}");
    let command = &lenses[0]["command"];
    assert_eq!(command["title"], "compare with MoE of equal FLOPs");
    editor.ask("workspace/executeCommand", command).unwrap();
    let asked = editor.asked.iter().rfind(|asked| asked["method"] == "workspace/applyEdit").unwrap();
    asked["params"]["edit"]["changes"].clone()
}

#[test]
fn a_lens_inserts_the_fitted_twin() {
    let shell = Shell::new();
    let mut editor = Editor::new(&shell, &able());
    let block = "// mine\ncoe(iter=2, k=4, experts=64, residual=delta)\n";
    for (name, text) in [("chain.coe", CHAIN), ("block.coe", block)] {
        editor.open(name, text);
        let both = applied(text, &twin_of(&mut editor, name)[editor.uri(name)][0]);
        editor.open(name, &both);
        let said = editor.said(name);
        assert!(said.iter().all(|one| one["code"] == "coec::budget::violated"), "{said:?}");
        insta::assert_snapshot!(format!("twin_of_{}", name.trim_end_matches(".coe")), both);
    }
}

#[test]
fn the_shape_of_a_text() {
    let shell = Shell::new();
    let mut editor = Editor::new(&shell, &able());
    editor.open("a.coe", CHAIN);
    let mut shown = String::new();
    let symbols = editor.about("a.coe", "documentSymbol", json!({})).unwrap();
    for symbol in symbols.as_array().unwrap() {
        let _ = writeln!(shown, "{} {} {}", symbol["detail"], symbol["name"], place(&symbol["range"]));
        for part in symbol["children"].as_array().unwrap() {
            let _ = writeln!(shown, "    {} {} {}", part["name"], part["detail"], place(&part["range"]));
        }
    }
    let folds = editor.about("a.coe", "foldingRange", json!({})).unwrap();
    for fold in folds.as_array().unwrap() {
        let _ = writeln!(shown, "fold {}-{} {}", fold["startLine"], fold["endLine"], fold["kind"]);
    }
    let selections =
        editor.about("a.coe", "selectionRange", json!({ "positions": [position((5, 30))] })).unwrap();
    let mut selection = &selections[0];
    while !selection.is_null() {
        let _ = writeln!(shown, "select {}", place(&selection["range"]));
        selection = &selection["parent"];
    }
    let legend = editor.capabilities["semanticTokensProvider"]["legend"]["tokenTypes"].clone();
    let tokens = editor.about("a.coe", "semanticTokens/full", json!({})).unwrap();
    let lines: Vec<&str> = CHAIN.lines().collect();
    let (mut line, mut character) = (0, 0);
    for token in tokens["data"].as_array().unwrap().chunks(5) {
        let [down, right, length, kind] = [0, 1, 2, 3].map(|at| token[at].as_u64().unwrap() as usize);
        (line, character) = if down == 0 { (line, character + right) } else { (line + down, right) };
        let _ = writeln!(
            shown,
            "{} {}",
            legend[kind].as_str().unwrap(),
            &lines[line][character..character + length]
        );
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn formatting_is_that_of_the_command() {
    let shell = Shell::new();
    let mut editor = Editor::new(&shell, &able());
    let text = "model a {\n  dim=64\n  ffn=dense()\n}\nbudget {\n  params.total<=1G\n}\n";
    editor.open("a.coe", text);
    let options = json!({ "options": { "tabSize": 4, "insertSpaces": true } });
    let all = editor.about("a.coe", "formatting", options.clone()).unwrap();
    let formatted =
        all.as_array().unwrap().iter().rev().fold(text.to_owned(), |text, edit| applied(&text, edit));
    assert_eq!(formatted, shell.piped_ok(&["fmt", "-"], text));
    let mut within = options;
    within["range"] = range((5, 0), (6, 0));
    let part = editor.about("a.coe", "rangeFormatting", within).unwrap();
    let formatted =
        part.as_array().unwrap().iter().rev().fold(text.to_owned(), |text, edit| applied(&text, edit));
    assert_eq!(formatted, "model a {\n  dim=64\n  ffn=dense()\n}\nbudget {\n    params.total <= 1G\n}\n");
}

/// A checkout that ends lines as Windows does stays one, whatever is changed in it.
#[test]
fn line_ends_stay() {
    let shell = Shell::new();
    let mut editor = Editor::new(&shell, &able());
    let text = "model a {\r\n    dim = 64\r\n    ffn = coe(iter=2, k=2, experts=8)\r\n}\r\nbudget { params.total <= 1k }\r\n";
    editor.open("a.coe", text);
    let options = json!({ "options": { "tabSize": 4, "insertSpaces": true } });
    let edits = editor.about("a.coe", "formatting", options).unwrap();
    let formatted =
        edits.as_array().unwrap().iter().rev().fold(text.to_owned(), |text, edit| applied(&text, edit));
    assert_eq!(formatted, shell.piped_ok(&["fmt", "-"], text));
    assert_eq!(formatted.matches('\n').count(), formatted.matches("\r\n").count());
    let twin = applied(text, &twin_of(&mut editor, "a.coe")[editor.uri("a.coe")][0]);
    assert!(twin.contains("budget a { params.total <= 1k }"), "the budget is not the twin's: {twin}");
    assert_eq!(twin.matches('\n').count(), twin.matches("\r\n").count(), "{twin:?}");
}

/// Of lines that all change, the ones that were asked for.
#[test]
fn a_range_is_formatted_and_no_more() {
    let shell = Shell::new();
    let mut editor = Editor::new(&shell, &able());
    editor.open("a.coe", "model a { dim=64   ffn=dense() }\nmodel b { dim=64   ffn=dense() }\nmodel c { dim=64   ffn=dense() }\n");
    let params = json!({ "range": range((1, 0), (1, 5)), "options": { "tabSize": 4, "insertSpaces": true } });
    let edits = editor.about("a.coe", "rangeFormatting", params).unwrap();
    assert_eq!(edits.as_array().unwrap().len(), 1, "{edits}");
    assert_eq!(place(&edits[0]["range"]), "1:0-2:0");
}

/// A string that the editor has closed by itself is completed as a whole.
#[test]
fn a_closed_string_is_replaced() {
    let shell = Shell::new();
    let mut editor = Editor::new(&shell, &able());
    let text = "model a extends \"\" { }";
    editor.open("a.coe", text);
    let items = editor.about("a.coe", "completion", at(0, 17)).unwrap();
    let item = items.as_array().unwrap().iter().find(|item| item["label"] == "\"CoE-2(4/64)\"").unwrap();
    assert_eq!(applied(text, &item["textEdit"]), "model a extends \"CoE-2(4/64)\" { }");
}

/// What can be named where a spec is wanted: other specs, models of one with several, settings of published models.
#[test]
fn specs_of_the_folder_are_proposed() {
    let shell = Shell::new();
    std::fs::create_dir_all(shell.path().join("hf")).unwrap();
    shell.write("hf/config.json", "{}");
    shell.write("hf/tokenizer.json", "{}");
    shell.write("one.coe", "coe(iter=2, k=4, experts=64)");
    shell.write("pair.coe", "model left { }\nmodel right { }");
    let mut editor = Editor::new(&shell, &able());
    editor.open("a.coe", "model a extends \"\" { }");
    let items = editor.about("a.coe", "completion", at(0, 17)).unwrap();
    let labels: Vec<&str> =
        items.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap()).collect();
    let wanted = ["one.coe", "pair.coe#left", "pair.coe#right", "hf/config.json", "CoE-2(4/64)", "MoE(8/64)"];
    assert_eq!(labels, wanted.map(|name| format!("\"{name}\"")));
}

/// One file under two names is two documents, and each other's text.
#[cfg(unix)]
#[test]
fn a_file_may_be_open_under_two_names() {
    let shell = Shell::new();
    std::fs::create_dir(shell.path().join("real")).unwrap();
    std::os::unix::fs::symlink(shell.path().join("real"), shell.path().join("alias")).unwrap();
    let mut editor = Editor::new(&shell, &able());
    for name in ["real/a.coe", "alias/a.coe"] {
        editor.open(name, "model a { ffn = dense() }");
    }
    editor.edit("alias/a.coe", (0, 0), (0, 0), "\n\n");
    let line = |editor: &mut Editor, name| {
        editor.about(name, "documentSymbol", json!({})).unwrap()[0]["range"]["start"]["line"].clone()
    };
    assert_eq!((line(&mut editor, "real/a.coe"), line(&mut editor, "alias/a.coe")), (json!(0), json!(2)));
    editor.tell("textDocument/didClose", &json!({ "textDocument": { "uri": editor.uri("alias/a.coe") } }));
    assert_eq!(line(&mut editor, "real/a.coe"), 0, "still open");
}

/// A folder with the settings of a published model is a spec here too, and their file is watched.
#[test]
fn a_folder_is_its_settings() {
    let shell = Shell::new();
    let settings = |layers: usize| {
        format!(
            r#"{{"model_type": "mixtral", "architectures": ["MixtralForCausalLM"], "vocab_size": 128, "hidden_size": 64,
            "intermediate_size": 64, "num_hidden_layers": {layers}, "num_attention_heads": 4, "num_key_value_heads": 2,
            "num_local_experts": 4, "num_experts_per_tok": 2, "max_position_embeddings": 128, "rms_norm_eps": 1e-5,
            "rope_theta": 1e6, "hidden_act": "silu", "tie_word_embeddings": false}}"#
        )
    };
    std::fs::create_dir(shell.path().join("hf")).unwrap();
    shell.write("hf/config.json", settings(2));
    let mut editor = Editor::new(&shell, &able());
    editor.open("a.coe", "model a extends \"hf\" { }\nbudget { experts.calls <= 100 }\n");
    let hint = |editor: &mut Editor| {
        let hints = editor.about("a.coe", "inlayHint", json!({ "range": range((0, 0), (9, 0)) })).unwrap();
        hints[0]["label"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(hint(&mut editor), "4, 96.0% left");
    shell.write("hf/config.json", settings(4));
    let change = json!({ "changes": [{ "uri": editor.uri("hf/config.json"), "type": 2 }] });
    editor.tell("workspace/didChangeWatchedFiles", &change);
    assert_eq!(hint(&mut editor), "8, 92.0% left");
    shell.write("hf/config.json", "{}");
    editor.tell("workspace/didChangeWatchedFiles", &change);
    editor.said("a.coe");
    assert!(!editor.said[editor.uri("hf/config.json").as_str()].is_empty(), "{:?}", editor.said);
}

/// The twin of a file's one model leaves those alone who mean that one.
#[test]
fn others_still_mean_the_model_they_meant() {
    let shell = Shell::new();
    let block = "coe(iter=2, k=2, experts=8, residual=delta)\n";
    shell.write("chain.coe", block);
    shell.write("other.coe", "model other extends \"chain.coe\" { layers = 2 }\n");
    let mut editor = Editor::new(&shell, &able());
    editor.open("chain.coe", block);
    let changes = twin_of(&mut editor, "chain.coe");
    for name in ["chain.coe", "other.coe"] {
        shell.write(name, applied(&shell.read(name), &changes[editor.uri(name)][0]));
    }
    assert!(shell.read("other.coe").contains("\"chain.coe#chain\""), "{}", shell.read("other.coe"));
    shell.ok(&["check", "chain.coe"]);
    shell.ok(&["check", "other.coe"]);
    // The name of a block is its file's, and is not changed from here.
    let refused = json!({ "position": position((0, 34)), "newName": "x" });
    editor.open("other.coe", "model other extends \"block.coe#block\" { layers = 2 }\n");
    shell.write("block.coe", block);
    assert!(editor.about("other.coe", "rename", refused).is_err());
}

/// Of nothing there is no share, and none of a thousand times as much.
#[test]
fn what_is_far_beyond_a_rule_has_no_share() {
    let shell = Shell::new();
    let mut editor = Editor::new(&shell, &able());
    let rules = "experts.calls <= 0\nexperts.paths >= 1\nexperts.calls <= 1";
    let model = "model a { layers = 1 ffn = moe(k=2, experts=64) }";
    editor.open("a.coe", &format!("{model}\nbudget {{\n{rules}\n}}\n"));
    let hints = editor.about("a.coe", "inlayHint", json!({ "range": range((1, 0), (9, 0)) })).unwrap();
    assert_eq!(texts(&hints, "label"), ["2", "2.016 k", "2, 100.0% over"]);
}

/// An edit that was worked out while somebody typed is not made.
#[test]
fn edits_say_of_which_version_they_are() {
    let shell = Shell::new();
    let mut editor =
        Editor::new(&shell, &json!({ "workspace": { "workspaceEdit": { "documentChanges": true } } }));
    editor.open("a.coe", "let w = 3\nmodel a { layers = w ffn = dense() }\n");
    let renamed =
        editor.about("a.coe", "rename", json!({ "position": position((0, 4)), "newName": "deep" })).unwrap();
    let document = &renamed["documentChanges"][0];
    assert_eq!(document["textDocument"]["version"], 1, "{renamed}");
    assert_eq!(document["edits"].as_array().unwrap().len(), 2, "{renamed}");
}

#[test]
fn positions_count_utf_16_unless_the_client_can_do_better() {
    let shell = Shell::new();
    let text = "/* 𝄞é */ model a { ffn = dens() }\n";
    for (encodings, column) in [(json!([]), 26), (json!(["utf-8", "utf-16"]), 29)] {
        let mut editor = Editor::new(&shell, &json!({ "general": { "positionEncodings": encodings } }));
        editor.open("a.coe", text);
        let said = editor.said("a.coe");
        assert_eq!(said[0]["range"]["start"]["character"], column, "{said:?}");
        // An edit at that place mends it.
        editor.edit("a.coe", (0, column), (0, column + 4), "dense");
        assert_eq!(editor.said("a.coe"), Vec::<Value>::new());
        assert_eq!(editor.end(), Some(0));
    }
}

#[test]
fn the_drawing_is_that_of_the_command() {
    let shell = Shell::new();
    shell.write("a.coe", CHAIN);
    let mut editor = Editor::new(&shell, &able());
    editor.open("a.coe", CHAIN);
    let picture =
        editor.ask("coec/picture", &json!({ "textDocument": { "uri": editor.uri("a.coe") } })).unwrap();
    assert_eq!(picture["model"], "chain");
    shell.ok(&["graph", "a.coe", "--out", "a.svg"]);
    assert_eq!(picture["svg"].as_str().unwrap(), shell.read("a.svg"));
}

#[test]
fn a_client_is_told_what_it_does_wrong() {
    let shell = Shell::new();
    let mut editor = Editor::new(&shell, &json!({}));
    let unknown = editor.ask("textDocument/nothing", &json!({})).unwrap_err();
    assert_eq!(unknown["code"], -32601, "{unknown}");
    let closed = editor.about("no.coe", "hover", at(0, 0)).unwrap_err();
    assert!(closed["message"].as_str().unwrap().ends_with("no.coe` is not open"), "{closed}");
    editor.open("a.coe", CHAIN);
    let wrong = editor.about("a.coe", "hover", json!({ "position": 3 })).unwrap_err();
    assert_eq!(wrong["code"], -32602, "{wrong}");
    for params in [json!({}), json!({ "textDocument": { "uri": 3 } })] {
        assert_eq!(editor.ask("textDocument/hover", &params).unwrap_err()["code"], -32602, "{params}");
    }
    let none = editor.ask("workspace/executeCommand", &json!({ "command": "rm" })).unwrap_err();
    assert_eq!(none["message"], "there is no command `rm`");
    assert_eq!(editor.vanish(), Some(0), "a client that goes away is no error");
    let editor = Editor::new(&shell, &json!({}));
    assert_eq!(editor.exit(), Some(1), "the protocol wants 1 where nobody asked the server to shut down");

    let output = shell.piped(&["lsp"], "nonsense\r\n\r\n");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("coec::lsp::"), "{said}");
}
