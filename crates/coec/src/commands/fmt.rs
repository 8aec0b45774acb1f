//! `coec fmt`: specs in their one layout.

use std::fs;
use std::io;
use std::path::Path;

use coec_store::atomic;
use serde_json::{Value, json};

use crate::{
    arguments,
    cli::FmtArgs,
    disk::Disk,
    failure::{Done, Failure},
    render::{
        self,
        json::{json_of, print_json},
    },
};

pub fn run(args: &FmtArgs) -> Result<Done, Failure> {
    let mut documents = Vec::new();
    let (mut differs, mut failed) = (false, false);
    for (path, named) in arguments::specs(&args.paths)?.iter().zip(&args.paths) {
        let formatted = coec_lang::read(path, &Disk).and_then(|text| {
            let formatted = coec_lang::format(path, &text)?;
            Ok((coec_lang::with_line_ends_of(&text, formatted), text))
        });
        // A wrong spec does not keep the others from being laid out.
        match formatted {
            Ok((formatted, text)) => {
                let line = first_difference(&text, &formatted);
                differs |= line.is_some();
                let mut document = json!({ "path": named, "changed": line.is_some(), "line": line });
                if named == "-" {
                    print(args, &formatted, &mut document);
                } else if !args.check && line.is_some() {
                    write(Path::new(path), &formatted)?;
                    tell(args, &format!("formatted {path}"));
                }
                if let (Some(line), true) = (line, args.check) {
                    tell(args, &format!("{path}:{line}: would be laid out differently from here on"));
                }
                documents.push(document);
            }
            Err(errors) if args.json.json => {
                documents.push(json!({ "path": named, "errors": json_of(&errors) }));
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

/// Prints what standard input becomes, as the arguments want it.
fn print(args: &FmtArgs, formatted: &str, document: &mut Value) {
    match (args.check, args.json.json) {
        (true, _) => {}
        (false, true) => document["text"] = formatted.into(),
        (false, false) => render::text(formatted),
    }
}

/// Prints a line for people; programs find the same in the document.
fn tell(args: &FmtArgs, line: &str) {
    if !args.json.json {
        render::line(line);
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
        let about = fs::metadata(&file)?;
        if !about.is_file() {
            return Err(io::Error::other("it is no file that could be replaced"));
        }
        if about.permissions().readonly() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file is read-only"));
        }
        atomic::write(&file, text.as_bytes())?;
        fs::set_permissions(&file, about.permissions())
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
