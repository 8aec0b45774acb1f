//! `coec fmt`: files in place, standard input to the output, and what `--check` says.

mod common;

use std::fs;

use common::{Shell, TINY};

const CROWDED: &str = "model a{dim=64 // width\nffn=dense( hidden = 128 )}";
const LAID_OUT: &str = "model a {\n    dim = 64    // width\n    ffn = dense(hidden=128)\n}\n";

#[test]
fn files_are_laid_out_in_place() {
    let shell = Shell::new();
    shell.write("a.coe", CROWDED);
    shell.write("b.coe", LAID_OUT);
    let said = shell.ok(&["fmt", "a.coe", "b.coe"]);
    assert_eq!(said, "formatted a.coe\n", "what is in order is not touched");
    assert_eq!(shell.read("a.coe"), LAID_OUT);
    assert_eq!(shell.ok(&["fmt", "a.coe", "b.coe"]), "");
    assert_eq!(fs::read_dir(shell.path()).unwrap().count(), 2, "nothing is left beside them");
}

#[test]
fn check_changes_nothing_and_exits_1_for_differences() {
    let shell = Shell::new();
    shell.write("a.coe", CROWDED);
    shell.write("b.coe", LAID_OUT);
    assert_eq!(shell.ok(&["fmt", "--check", "b.coe"]), "");
    let output = shell.coec(&["fmt", "--check", "a.coe", "b.coe"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "a.coe:1: would be laid out differently from here on\n");
    assert_eq!(shell.read("a.coe"), CROWDED);
    let output = shell.coec(&["fmt", "--check", "a.coe", "b.coe", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], "coec/1");
    assert_eq!(document["files"][0]["changed"], true);
    assert_eq!(document["files"][1]["changed"], false);
}

#[test]
fn a_dash_is_standard_input_to_the_output() {
    let shell = Shell::new();
    let output = shell.piped(&["fmt", "-"], CROWDED);
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), LAID_OUT);
    assert_eq!(shell.piped(&["fmt", "-", "--check"], CROWDED).status.code(), Some(1));
    assert_eq!(shell.piped(&["fmt", "-", "--check"], LAID_OUT).status.code(), Some(0));
    let output = shell.piped(&["fmt", "-"], "model {");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("standard input:1:"));
}

#[test]
fn a_wrong_spec_is_left_alone_and_keeps_no_other_from_being_laid_out() {
    let shell = Shell::new();
    shell.write("bad.coe", "model { = }");
    shell.write("a.coe", CROWDED);
    shell.write("bytes.coe", [0xff, 0xfe]);
    shell.fails(&["fmt", "bad.coe", "a.coe"], 2, "coec::parse::");
    assert_eq!(shell.read("bad.coe"), "model { = }");
    assert_eq!(shell.read("a.coe"), LAID_OUT);
    shell.fails(&["fmt", "missing.coe"], 2, "coec::read::not_found");
    shell.fails(&["fmt", "bytes.coe"], 2, "coec::read::not_utf8");
    shell.fails(&["fmt", "."], 2, "coec::read::unreadable");
    assert_eq!(shell.coec(&["fmt"]).status.code(), Some(2));
}

/// A link stays a link, and a script stays executable.
#[cfg(unix)]
#[test]
fn links_and_permissions_are_kept() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let shell = Shell::new();
    shell.write("a.coe", CROWDED);
    let (file, link) = (shell.path().join("a.coe"), shell.path().join("link.coe"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("a.coe", &link).unwrap();
    shell.ok(&["fmt", "link.coe"]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&file).unwrap(), LAID_OUT);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    fs::write(&file, CROWDED).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).unwrap();
    shell.fails(&["fmt", "a.coe"], 3, "coec::fmt::unwritable");
}

/// What `coec new` writes and what `coec build` prints in full is in order already.
#[test]
fn what_the_program_writes_is_laid_out() {
    let shell = Shell::new();
    shell.ok(&["new", "mine"]);
    assert_eq!(shell.ok(&["fmt", "--check", "mine.coe"]), "");
    shell.write("tiny.coe", TINY);
    shell.ok(&["fmt", "tiny.coe"]);
    shell.ok(&["check", "tiny.coe"]);
}

/// A checkout that ends lines as Windows does is laid out as well as any other.
#[test]
fn line_ends_are_kept() {
    let shell = Shell::new();
    let dos = |text: &str| text.replace('\n', "\r\n");
    shell.write("laid_out.coe", dos(LAID_OUT));
    assert_eq!(shell.ok(&["fmt", "--check", "laid_out.coe"]), "");
    assert_eq!(shell.piped_ok(&["fmt", "-"], &dos(LAID_OUT)), dos(LAID_OUT));
    shell.write("crowded.coe", dos(CROWDED));
    shell.ok(&["fmt", "crowded.coe"]);
    assert_eq!(shell.read("crowded.coe"), dos(LAID_OUT));
    // Where they differ, the first one decides.
    shell.write("mixed.coe", LAID_OUT.replacen('\n', "\r\n", 1));
    assert_eq!(shell.coec(&["fmt", "--check", "mixed.coe"]).status.code(), Some(1));
    shell.ok(&["fmt", "mixed.coe"]);
    assert_eq!(shell.read("mixed.coe"), dos(LAID_OUT));
}
