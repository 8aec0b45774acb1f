//! Data as people have it, from the command line.

mod common;

use std::fs;
use std::io::Write;
use std::process::Stdio;

use common::{Shell, TINY};
use serde_json::json;

fn shell() -> Shell {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    shell
}

/// Records with these fields, one a line.
fn lines(count: usize, record: impl Fn(usize) -> serde_json::Value) -> String {
    (0..count).map(|i| format!("{}\n", record(i))).collect()
}

fn pairs(count: usize) -> String {
    lines(count, |i| json!({"id": i, "question": format!("{i} and 1?"), "answer": (i + 1).to_string()}))
}

/// What a run of four steps learnt from: `data: N tokens to learn from, M held out`.
fn tokens(shell: &Shell, args: &[&str]) -> [u64; 2] {
    let out = shell.ok(&[&["train", "tiny.coe"], args].concat());
    let line = out.lines().find_map(|line| line.strip_prefix("data: ")).unwrap().replace(',', "");
    let mut numbers = line.split(' ').filter_map(|word| word.parse().ok());
    [numbers.next().unwrap(), numbers.next().unwrap()]
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// zstd as `zstd` writes it: one frame of raw blocks, which every decoder reads.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    // No checksum, a window of 128 KiB, then blocks: last, type raw, size.
    let mut out = vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x38];
    let blocks: Vec<&[u8]> = bytes.chunks(1 << 16).collect();
    for (i, block) in blocks.iter().enumerate() {
        let header = u32::from(i + 1 == blocks.len()) | (block.len() as u32) << 3;
        out.extend(&header.to_le_bytes()[..3]);
        out.extend(*block);
    }
    out
}

#[test]
fn content_decides_what_a_file_is_and_packing_changes_nothing() {
    let shell = shell();
    let records = pairs(300);
    shell.write("plain.jsonl", &records);
    let expected = tokens(&shell, &["--data", "plain.jsonl"]);
    // `{question}\n{answer}` and the separator, all in bytes.
    let bytes: usize = (0..300).map(|i| format!("{i} and 1?\n{}", i + 1).len() + 1).sum();
    assert_eq!(expected[0] + expected[1], bytes as u64);
    shell.write("a.ndjson", &records);
    shell.write("b.txt", format!("\u{FEFF}\n  \n{}", records.replace('\n', "\r\n")));
    shell.write("c.gz", gzipped(records.as_bytes()));
    shell.write("d", zstd(records.as_bytes()));
    for file in ["a.ndjson", "b.txt", "c.gz", "d", "plain.js*"] {
        assert_eq!(tokens(&shell, &["--data", file]), expected, "{file}");
    }
    // In a spec the words mean what they say.
    let text = tokens(&shell, &["--set", "train.data=text(\"plain.jsonl\")"]);
    assert_eq!(text[0] + text[1], records.len() as u64 + 2);
}

#[test]
fn several_paths_are_one_set_and_mixtures_have_their_weights() {
    let shell = shell();
    shell.write("a.jsonl", pairs(200));
    shell.write("b.txt", "word ".repeat(4000));
    let [a, b] = ["a.jsonl", "b.txt"].map(|file| tokens(&shell, &["--data", file]));
    let both = tokens(&shell, &["--data", "a.jsonl", "--data", "b.txt"]);
    assert_eq!(both, [a[0] + b[0], a[1] + b[1]]);
    let mixed = "train.data=[jsonl(\"a.jsonl\"), text(\"b.txt\")]";
    assert_eq!(tokens(&shell, &["--set", mixed, "--set", "train.weights=[0.9, 0.1]"]), both);
    shell.fails(
        &["train", "tiny.coe", "--set", mixed, "--set", "train.weights=[1]"],
        2,
        "coec::verify::weights_for_sources",
    );
}

#[test]
fn records_without_a_template_take_the_sensible_one_and_it_is_printed() {
    let shell = shell();
    shell.write("a.jsonl", pairs(200));
    let out = shell.ok(&["train", "tiny.coe", "--data", "a.jsonl"]);
    assert!(out.contains(r#"a.jsonl by template "{question}\n{answer}""#), "{out}");
    shell.write("odd.jsonl", lines(9, |i| json!({"title": i, "body": "x"})));
    let shown = shell.fails(&["train", "tiny.coe", "--data", "odd.jsonl"], 3, "coec::data::no_form");
    assert!(shown.contains("body, title"), "{shown}");
}

#[test]
fn all_broken_records_are_named_in_one_report_or_left_out_and_counted() {
    let shell = shell();
    let mut records: Vec<String> = pairs(300).lines().map(str::to_owned).collect();
    records[4] = "{\"question\": \"torn".into();
    records[7] = "[1]".into();
    records[9] = "{\"question\": \"no answer\"}".into();
    // What nobody asks for may be broken as Python breaks it.
    records[11] = r#"{"question": "a", "answer": 1.50, "score": NaN, "name": "\ud800"}"#.into();
    shell.write("a.jsonl", records.join("\n"));
    let shown = shell.fails(&["train", "tiny.coe", "--data", "a.jsonl"], 3, "coec::data::records");
    for place in ["a.jsonl:5:", "a.jsonl:8:", "a.jsonl:10:"] {
        assert!(shown.contains(place), "{place} in: {shown}");
    }
    assert!(!shown.contains("a.jsonl:12"), "{shown}");
    let out = shell.ok(&["train", "tiny.coe", "--data", "a.jsonl", "--set", "train.on_error=skip"]);
    assert!(out.contains("3 broken records of ") && out.contains("a.jsonl are left out"), "{out}");
    // Leaving out all there are is no way on, and what is wrong with all of them is said once.
    shell.write("b.jsonl", pairs(300));
    for on_error in ["stop", "skip"] {
        let sets = [
            "--set",
            "train.data=jsonl(\"b.jsonl\", \"{title}\")",
            "--set",
            &format!("train.on_error={on_error}"),
        ];
        let shown =
            shell.fails(&[&["train", "tiny.coe"], &sets[..]].concat(), 3, "coec::data::unknown_field");
        assert!(shown.contains("the line has: answer, id, question"), "{shown}");
    }
}

#[test]
fn tokens_are_made_once_and_found_again_by_content() {
    let shell = shell();
    shell.write("a.txt", "some words and others. ".repeat(2000));
    let entries = || fs::read_dir(shell.path().join(".cache/tokens")).unwrap().flatten();
    let folders = || entries().filter(|entry| entry.path().is_dir()).count();
    let first = tokens(&shell, &["--data", "a.txt"]);
    assert_eq!(folders(), 1);
    // The same content elsewhere, packed: nothing new.
    shell.write("b.gz", gzipped(shell.read("a.txt").as_bytes()));
    assert_eq!(tokens(&shell, &["--data", "b.gz"]), first);
    assert_eq!(folders(), 1);
    // Another tokenizer: other tokens.
    shell.ok(&[
        "train",
        "tiny.coe",
        "--data",
        "a.txt",
        "--set",
        "vocab=300",
        "--set",
        "train.tokenizer=bpe(300)",
    ]);
    assert_eq!(folders(), 2);
    // A damaged entry is made anew where its length tells, and never read where its sum does.
    for entry in entries().filter(|entry| entry.path().is_dir()) {
        fs::write(entry.path().join("train.tokens"), b"torn").unwrap();
    }
    assert_eq!(tokens(&shell, &["--data", "a.txt"]), first);
    // Too large a cache loses what was not used for longest.
    shell.write("c.txt", "quite other words. ".repeat(3000));
    let output =
        shell.command(&["train", "tiny.coe", "--data", "c.txt"]).env("COEC_CACHE_BYTES", "1").output();
    assert!(output.unwrap().status.success());
    assert_eq!(folders(), 1);
}

#[test]
fn standard_input_is_kept_with_the_run() {
    let shell = shell();
    let text = "in through the pipe. ".repeat(1000);
    let out =
        shell.piped(&["train", "tiny.coe", "--data", "-", "--out", "r", "--set", "train.steps=2"], &text);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    fs::remove_dir_all(shell.path().join(".cache")).unwrap();
    assert_eq!(shell.read("r/input"), text);
    let resumed = shell.json(&["train", "--resume", "r", "--set", "train.steps=4", "--json"]);
    assert_eq!(resumed["summary"]["steps"], 4);
    shell.write("text.txt", &text);
    shell.ok(&["train", "tiny.coe", "--data", "text.txt", "--out", "whole"]);
    assert_eq!(shell.read("whole/metrics.jsonl").lines().count(), 4);
}

#[test]
fn a_text_file_is_one_document() {
    let shell = shell();
    // Letters that never repeat in 8192 bytes: a window of them is contiguous only if nothing is between.
    let text: String = (0..9000u32).map(|i| char::from(b'a' + (i * i % 26) as u8)).collect();
    shell.write("a.txt", &text);
    let [train, held_out] = tokens(&shell, &["--data", "a.txt"]);
    assert_eq!((train, held_out), (8101, 901), "a separator behind each part, and none inside");
}

#[test]
fn completions_alone_are_learnt() {
    let shell = shell();
    shell.write("a.jsonl", pairs(300));
    let run = |loss: &str| {
        let set = format!("train.loss={loss}");
        let document = shell.json(&["train", "tiny.coe", "--data", "a.jsonl", "--set", &set, "--json"]);
        document["summary"]["val_loss"].as_f64().unwrap()
    };
    let (all, completion) = (run("all"), run("completion"));
    assert!((all - completion).abs() > 1e-6 && completion.is_finite(), "{all} {completion}");
}

#[test]
fn parquet_files_are_rows_of_records() {
    let shell = shell();
    shell.write("a.jsonl", pairs(300));
    let expected = tokens(&shell, &["--data", "a.jsonl"]);
    let goldens = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/parity/goldens/parquet");
    for compression in ["none", "snappy", "gzip", "zstd", "lz4"] {
        let file = format!("{goldens}/{compression}.parquet");
        assert_eq!(tokens(&shell, &["--data", &file]), expected, "{compression}");
    }
    let file = format!("{goldens}/snappy.parquet");
    let named =
        |template: &str| tokens(&shell, &["--set", &format!("train.data=parquet({file:?}, {template:?})")]);
    assert_eq!(named("{question}\n{answer}"), expected);
    // 0, 0.1, 0.2 and so on have as many digits as they were written with.
    shell.write("b.jsonl", lines(300, |i| json!({"text": format!("{:?}", i as f32 / 10.0)})));
    assert_eq!(named("{score}"), tokens(&shell, &["--data", "b.jsonl"]));
    let says = |i: usize| json!([{"role": "user", "content": format!("{i} and 1?")}, {"role": "assistant", "content": (i + 1).to_string()}]);
    shell.write("c.jsonl", lines(300, |i| json!({"messages": says(i)})));
    let conversations = format!("{goldens}/conversations.parquet");
    assert_eq!(tokens(&shell, &["--data", &conversations]), tokens(&shell, &["--data", "c.jsonl"]));

    let shown = shell.fails(
        &["train", "tiny.coe", "--set", &format!("train.data=parquet({file:?}, \"{{title}}\")")],
        3,
        "coec::data::unknown_field",
    );
    assert!(shown.contains("answer, id, image, question, score"), "{shown}");
    shell.fails(
        &["train", "tiny.coe", "--set", &format!("train.data=jsonl({file:?})")],
        3,
        "coec::data::not_text",
    );
    shell.fails(
        &["train", "tiny.coe", "--set", "train.data=parquet(\"a.jsonl\")"],
        3,
        "coec::data::unreadable",
    );
}

#[test]
fn a_damaged_parquet_file_is_an_error() {
    let shell = shell();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/parity/goldens/parquet/snappy.parquet");
    let bytes = fs::read(golden).unwrap();
    shell.write("short", &bytes[..bytes.len() / 2]);
    let mut flipped = bytes.clone();
    let length = flipped.len();
    flipped[length - 100..length - 20].fill(0xA5);
    shell.write("flipped", flipped);
    for file in ["short", "flipped"] {
        shell.fails(&["train", "tiny.coe", "--data", file], 3, "coec::data::unreadable");
    }
}

#[test]
fn packed_files_may_have_several_parts_and_must_be_whole() {
    let shell = shell();
    let records = pairs(300);
    let (front, back) = records.as_bytes().split_at(records.len() / 2);
    shell.write("a.jsonl", &records);
    let expected = tokens(&shell, &["--data", "a.jsonl"]);
    for (name, pack) in [("gz", gzipped as fn(&[u8]) -> Vec<u8>), ("zst", zstd)] {
        let both = [pack(front), pack(back)].concat();
        shell.write(name, &both);
        assert_eq!(tokens(&shell, &["--data", name]), expected, "{name}");
        shell.write("torn", &both[..both.len() - 9]);
        shell.fails(&["train", "tiny.coe", "--data", "torn"], 3, "coec::data::unreadable");
    }
}

#[test]
fn utf_16_is_read_behind_its_mark() {
    let shell = shell();
    let text = "zwei Wörter und 🎼. ".repeat(400);
    shell.write("a.txt", &text);
    let expected = tokens(&shell, &["--data", "a.txt"]);
    for bytes in [u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes] {
        let marked = format!("\u{FEFF}{text}");
        shell.write("b.txt", marked.encode_utf16().flat_map(bytes).collect::<Vec<u8>>());
        assert_eq!(tokens(&shell, &["--data", "b.txt"]), expected);
    }
    shell.write("c.txt", b"\xFF\xFEa\0b");
    shell.fails(&["train", "tiny.coe", "--data", "c.txt"], 3, "coec::data::unreadable");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_kept_with_the_run() {
    let shell = shell();
    let text = "in through the pipe. ".repeat(1000);
    shell.write("a.txt", &text);
    let made = std::process::Command::new("mkfifo").arg(shell.path().join("pipe")).status().unwrap();
    assert!(made.success());
    let pipe = shell.path().join("pipe");
    let writer = std::thread::spawn(move || fs::write(pipe, text).unwrap());
    shell.ok(&["train", "tiny.coe", "--data", "pipe", "--data", "a.txt", "--out", "r"]);
    writer.join().unwrap();
    assert_eq!(shell.read("r/input"), shell.read("a.txt"));
    let two = shell.piped(&["train", "tiny.coe", "--data", "-", "--data", "pipe"], "text");
    assert_eq!(two.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&two.stderr).contains("coec::cli::standard_input"));
}

#[test]
fn data_that_was_moved_is_found_by_its_new_names() {
    let shell = shell();
    shell.write("a.jsonl", pairs(200));
    shell.write("b.txt", "word ".repeat(4000));
    let mixed = "train.data=[jsonl(\"a.jsonl\"), text(\"b.txt\")]";
    shell.ok(&["train", "tiny.coe", "--out", "r", "--set", mixed, "--set", "train.steps=2"]);
    for file in ["a.jsonl", "b.txt"] {
        fs::rename(shell.path().join(file), shell.path().join(format!("moved {file}"))).unwrap();
    }
    let resume = ["train", "--resume", "r", "--set", "train.steps=4"];
    shell.fails(&resume, 3, "coec::data::no_match");
    let one = ["--data", "moved a.jsonl"];
    shell.fails(&[&resume[..], &one].concat(), 2, "coec::train::resume");
    let swapped = ["--data", "moved b.txt", "--data", "moved a.jsonl"];
    shell.fails(&[&resume[..], &swapped].concat(), 3, "coec::data");
    shell.ok(&[&resume[..], &one, &["--data", "moved b.txt"]].concat());
}

#[test]
fn what_was_read_through_once_is_not_read_again() {
    let shell = shell();
    shell.write("a.jsonl", pairs(300));
    let expected = tokens(&shell, &["--data", "a.jsonl"]);
    let surveys = || fs::read_dir(shell.path().join(".cache/surveys")).unwrap().flatten();
    assert_eq!(surveys().count(), 1);
    let out = shell.ok(&["train", "tiny.coe", "--data", "a.jsonl"]);
    assert!(out.contains("by template"), "{out}");
    fs::rename(shell.path().join("a.jsonl"), shell.path().join("b.txt")).unwrap();
    assert_eq!(tokens(&shell, &["--data", "b.txt"]), expected);
    assert_eq!(surveys().count(), 1);
    // Half a survey is none.
    surveys().for_each(|survey| fs::write(survey.path(), "{").unwrap());
    assert_eq!(tokens(&shell, &["--data", "b.txt"]), expected);
}

#[test]
fn devices_say_where_tokens_are_kept() {
    let shell = shell();
    shell.write("a.txt", "some words and others. ".repeat(2000));
    tokens(&shell, &["--data", "a.txt"]);
    let folder = shell.path().join(".cache");
    let cache = &shell.json(&["devices", "--json"])["cache"];
    assert_eq!(cache["folder"], folder.to_str().unwrap());
    assert!(cache["bytes"].as_u64().unwrap() > 4 * 40_000, "{cache}");
    assert_eq!(cache["most_bytes"], 64u64 << 30);
    assert!(shell.ok(&["devices"]).contains(folder.to_str().unwrap()));
    let output = shell.command(&["devices"]).env("COEC_CACHE_BYTES", "10G").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("COEC_CACHE_BYTES"));
}

#[test]
fn two_runs_share_what_one_of_them_makes() {
    let shell = shell();
    shell.write("a.txt", "some words and others. ".repeat(200_000));
    let spawn = |out: &str| {
        let mut command = shell.command(&["train", "tiny.coe", "--data", "a.txt", "--out", out]);
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    let both = ["r", "s"].map(spawn);
    assert!(both.into_iter().all(|mut run| run.wait().unwrap().success()));
    assert_eq!(shell.read("r/metrics.jsonl").lines().count(), shell.read("s/metrics.jsonl").lines().count());
    let entries = || fs::read_dir(shell.path().join(".cache/tokens")).unwrap().flatten();
    assert_eq!(entries().filter(|entry| entry.path().is_dir()).count(), 1);
}

#[test]
fn what_a_killed_process_began_is_made_anew() {
    let shell = shell();
    shell.write("a.txt", "some words and others. ".repeat(1_000_000));
    let mut run = shell.command(&["train", "tiny.coe", "--data", "a.txt", "--out", "r"]).spawn().unwrap();
    let half = |name: &str| name.starts_with('.') && name.ends_with(".tmp");
    let halves = || {
        let entries = fs::read_dir(shell.path().join(".cache/tokens")).into_iter().flatten().flatten();
        entries.filter(|entry| half(entry.file_name().to_str().unwrap())).count()
    };
    while halves() == 0 && run.try_wait().unwrap().is_none() {}
    run.kill().unwrap();
    run.wait().unwrap();
    shell.ok(&["train", "tiny.coe", "--data", "a.txt", "--out", "s"]);
    assert_eq!(halves(), 0);
}
