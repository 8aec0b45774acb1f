//! Where `--out` leads: links, devices, pipes, the current folder, the longest names.
//!
//! Nothing in `/dev` is named by a path that could be replaced: a fault would take it from the machine.
#![cfg(target_os = "linux")] // /proc

mod common;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::terminal::shown_by_device;
use common::{Shell, TINY};

/// The arguments of `coec forward`, all but the output.
const PASS: [&str; 6] = ["forward", "tiny.coe", "--weights", "run/model.safetensors", "--tokens", "tokens"];

fn shell() -> Shell {
    let shell = Shell::new();
    shell.write("tiny.coe", TINY);
    shell
}

/// A folder of the shell's, made.
fn folder(shell: &Shell, name: &str) -> PathBuf {
    let path = shell.path().join(name);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Runs a command in another folder; it must succeed.
fn inside(shell: &Shell, folder: &Path, args: &[&str]) -> String {
    let output = shell.command(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A small folder as `transformers` writes it.
fn golden() -> String {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/goldens/families");
    goldens.join("mixtral").to_str().unwrap().to_string()
}

#[test]
fn a_link_goes_on_leading_to_the_file_that_is_written() {
    let shell = Shell::new();
    shell.prepare_forward();
    folder(&shell, "sub");
    for (name, args) in [("picture", &["graph", "tiny.coe"][..]), ("pass", &PASS)] {
        let link = shell.path().join(name);
        symlink(format!("sub/{name}"), &link).unwrap();
        // The second time there is something to replace.
        for _ in 0..2 {
            shell.ok(&[args, &["--out", name]].concat());
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "{name}");
            assert!(fs::metadata(shell.path().join("sub").join(name)).unwrap().len() > 0, "{name}");
        }
    }
    assert_eq!(fs::read_dir(shell.path().join("sub")).unwrap().count(), 2, "nothing is left beside them");
}

#[test]
fn a_link_goes_on_leading_to_the_folder_that_is_written() {
    let shell = shell();
    folder(&shell, "real");
    symlink("real", shell.path().join("link")).unwrap();
    for set in ["vocab=256", "vocab=300"] {
        shell.ok(&["build", "tiny.coe", "--out", "link", "--set", set]);
        assert!(fs::symlink_metadata(shell.path().join("link")).unwrap().is_symlink());
        assert!(
            shell.read("real/spec.coe").contains(&set.replace('=', "     = ")),
            "{}",
            shell.read("real/spec.coe")
        );
    }
}

#[test]
fn the_current_folder_is_filled_where_it_is_empty() {
    let shell = shell();
    let empty = |name: &str| folder(&shell, name);
    inside(&shell, &empty("build"), &["build", "../tiny.coe", "--out", "."]);
    inside(&shell, &empty("train"), &["train", "../tiny.coe", "--out", "."]);
    inside(&shell, &empty("import"), &["import", &golden(), "--out", "."]);
    inside(&shell, &empty("export"), &["export", "../import", "--out", "."]);
    for file in
        ["build/src/model.rs", "train/model.safetensors", "import/spec.coe", "export/model.safetensors"]
    {
        assert!(shell.path().join(file).is_file(), "{file}");
    }
    for name in ["build", "train", "import", "export"] {
        let names = fs::read_dir(shell.path().join(name)).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = names.filter(|name| name.to_string_lossy().ends_with(".tmp")).collect();
        assert!(left.is_empty(), "{name}: {left:?}");
    }
    // One with something in it is not.
    shell.fails(&["import", &golden(), "--out", "."], 2, "coec::folder::exists");
    shell.fails(&["build", "tiny.coe", "--out", "."], 2, "coec::build::not_ours");
    shell.fails(&["train", "tiny.coe", "--out", "."], 2, "coec::run::exists");
}

#[test]
fn a_crate_is_built_again_in_the_current_folder() {
    let shell = shell();
    let here = folder(&shell, "here");
    inside(&shell, &here, &["build", "../tiny.coe", "--out", "."]);
    shell.write("here/mine.txt", "mine");
    let before = fs::metadata(&here).unwrap().ino();
    let dense = ["--set", "ffn=dense(hidden=32)"];
    inside(&shell, &here, &[&["build", "../tiny.coe", "--out", "."], &dense[..]].concat());
    // It is the folder it was, and holds what a new one would, and the addition.
    assert_eq!(fs::metadata(&here).unwrap().ino(), before);
    shell.ok(&[&["build", "tiny.coe", "--out", "new"], &dense[..]].concat());
    let mut expected = names(&shell.path().join("new"));
    expected.push("mine.txt".into());
    expected.sort();
    assert_eq!(names(&here), expected);
    assert_eq!(shell.read("here/mine.txt"), "mine");
}

/// The files in a folder and the folders below it, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => names.extend(self::names(&entry.path()).iter().map(|below| format!("{name}/{below}"))),
            false => names.push(name),
        }
    }
    names.sort();
    names
}

#[test]
fn the_output_named_as_a_file_gets_the_bytes_and_nothing_else() {
    let shell = shell();
    let picture = shell.ok(&["graph", "tiny.coe"]);
    // As /dev/stdout leads there.
    symlink("/proc/self/fd/1", shell.path().join("stdout")).unwrap();
    for out in ["stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        assert_eq!(shell.ok(&["graph", "tiny.coe", "--out", out]), picture, "{out}");
    }
    // Also where the shell appends it to a file.
    shell.write("all.mmd", "%% mine\n");
    for _ in 0..2 {
        let file = File::options().append(true).open(shell.path().join("all.mmd")).unwrap();
        let status = shell.command(&["graph", "tiny.coe", "--out", "stdout"]).stdout(file).status();
        assert!(status.unwrap().success());
    }
    assert_eq!(shell.read("all.mmd"), format!("%% mine\n{picture}{picture}"));
    // Nobody reads it: as for any other output.
    let closed = std::io::pipe().unwrap().1;
    let output = shell
        .command(&["graph", "tiny.coe", "--out", "stdout"])
        .stdout(closed)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(141), &b""[..]));
}

#[test]
fn devices_and_pipes_get_the_bytes_and_stay() {
    let shell = Shell::new();
    shell.prepare_forward();
    for args in [&["graph", "tiny.coe"][..], &PASS] {
        shell.ok(&[args, &["--out", "file"]].concat());

        let pipe = shell.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // Open before anybody writes, and never waited for: what is written fits into the pipe.
        let mut reader = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&pipe).unwrap();
        shell.ok(&[args, &["--out", "pipe"]].concat());
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert!(bytes == fs::read(shell.path().join("file")).unwrap());
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
        fs::remove_file(pipe).unwrap();
    }
    let picture = shell.ok(&["graph", "tiny.coe"]);
    let shown = shown_by_device(|device| {
        shell.ok(&["graph", "tiny.coe", "--out", device.to_str().unwrap()]);
        assert!(fs::metadata(device).unwrap().file_type().is_char_device());
    });
    assert_eq!(shown, picture);
    shell.fails(&["graph", "tiny.coe", "--out", "."], 3, "coec::graph::unwritable");
}

#[test]
fn names_as_long_as_the_file_system_allows_are_written() {
    let shell = Shell::new();
    shell.prepare_forward();
    let long = |start: &str| format!("{start}{}", "n".repeat(255 - start.len()));
    shell.ok(&["graph", "tiny.coe", "--out", &long("g")]);
    shell.ok(&[&PASS[..], &["--out", &long("p")]].concat());
    shell.ok(&["build", "tiny.coe", "--out", &long("b")]);
    shell.ok(&["build", "tiny.coe", "--out", &long("b"), "--set", "vocab=300"]);
    shell.ok(&["train", "tiny.coe", "--out", &long("t")]);
    shell.ok(&["import", &golden(), "--out", &long("i")]);
    let spec = format!("{}.coe", "s".repeat(251));
    shell.write(&spec, TINY);
    shell.ok(&["fmt", &spec]);
}
