//! `coec fmt`: specs in their one layout.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use coec_lang::{Loader, MAX_SOURCE};
use coec_store::atomic;
use serde_json::{Value, json};

use crate::{
    cli::FmtArgs,
    disk::Disk,
    failure::{Done, Failure},
    render::{
        self,
        json::{json_of, print_json},
    },
};

/// How the command line names standard input.
const STDIN: &str = "-";

pub fn run(args: &FmtArgs) -> Result<Done, Failure> {
    let mut documents = Vec::new();
    let (mut differs, mut failed) = (false, false);
    for path in &args.paths {
        // A wrong spec does not keep the others from being laid out.
        match text(path).and_then(|text| Ok((coec_lang::format(shown(path), &text)?, text))) {
            Ok((formatted, text)) => {
                let line = first_difference(&text, &formatted);
                differs |= line.is_some();
                let document = finish(args, path, &formatted, line)?;
                documents.push(document);
            }
            Err(errors) if args.json.json => {
                documents.push(json!({ "path": path, "errors": json_of(&errors) }));
                failed = true;
            }
            Err(errors) => {
                render::diagnostics(&errors);
                failed = true;
            }
        }
    }
    if args.json.json {
        print_json(&json!({ "schema": coec_ir::SCHEMA, "files": documents }));
    }
    match (failed, args.check && differs) {
        (true, _) => Err(Failure::Shown),
        (false, true) => Ok(Done::Differs),
        (false, false) => Ok(Done::Well),
    }
}

/// Writes or prints a text laid out, or says where it differs, as the arguments want it.
fn finish(args: &FmtArgs, path: &str, formatted: &str, line: Option<usize>) -> Result<Value, Failure> {
    let json = args.json.json;
    let mut document = json!({ "path": path, "changed": line.is_some(), "line": line });
    match (line, args.check, path == STDIN) {
        (_, false, true) if json => document["text"] = formatted.into(),
        (_, false, true) => {
            let _ = io::stdout().write_all(formatted.as_bytes());
        }
        (Some(_), false, false) => {
            write(Path::new(path), formatted)?;
            if !json {
                render::line(&format!("formatted {path}"));
            }
        }
        (Some(line), true, _) if !json => {
            render::line(&format!("{}:{line}: would be laid out differently from here on", shown(path)));
        }
        _ => {}
    }
    Ok(document)
}

/// What messages call a path.
fn shown(path: &str) -> &str {
    if path == STDIN { "standard input" } else { path }
}

fn text(path: &str) -> Result<String, coec_lang::Diagnostics> {
    if path == STDIN { coec_lang::read(shown(path), &Stdin) } else { coec_lang::read(path, &Disk) }
}

/// Standard input, never more of it than a spec may have.
struct Stdin;

impl Loader for Stdin {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        io::stdin().take(MAX_SOURCE as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The first line, from 1, in which two texts differ.
fn first_difference(before: &str, after: &str) -> Option<usize> {
    let (mut a, mut b) = (before.split_inclusive('\n'), after.split_inclusive('\n'));
    (1..)
        .map(|line| (line, a.next(), b.next()))
        .take_while(|(_, a, b)| a.is_some() || b.is_some())
        .find_map(|(line, a, b)| (a != b).then_some(line))
}

/// Replaces a file as a whole; a link keeps leading to it, and it keeps who may read it.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let written = fs::canonicalize(path).and_then(|file| {
        let permissions = fs::metadata(&file)?.permissions();
        if permissions.readonly() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file is read-only"));
        }
        atomic::write(&file, text.as_bytes())?;
        fs::set_permissions(&file, permissions)
    });
    written.map_err(|error| {
        Failure::environment(
            "coec::fmt::unwritable",
            format!("cannot write {}: {error}", path.display()),
            "check the permissions of the file and its folder; `-` formats from standard input to the output",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\n b\n"), Some(2));
        assert_eq!(first_difference("a\nb", "a\nb\n"), Some(2));
        assert_eq!(first_difference("a\n", "a\n\n"), Some(2));
        assert_eq!(first_difference("", ""), None);
    }
}
