//! `coec lsp`: an editor's other half.

use std::sync::Arc;

use coec_lsp::{Ended, Host, ServeError, serve_stdio};

use crate::{
    disk::Disk,
    failure::{Done, Failure},
    manual,
};

/// Below the folder of what can be made again: the pages of error codes, for editors to open.
const PAGES: &str = "errors";

pub fn run() -> Result<Done, Failure> {
    let host = Host {
        disk: Arc::new(Disk),
        explain: |code| {
            let mut pages = manual::stages().into_iter().flat_map(|stage| stage.pages);
            pages.find(|page| page.code == code).map(|page| page.text.to_owned())
        },
        pages: Some(coec_store::cache_folder().join(PAGES)),
        version: env!("CARGO_PKG_VERSION"),
    };
    match serve_stdio(host) {
        Ok(Ended::Well) => Ok(Done::Well),
        Ok(Ended::WithoutShutdown) => Ok(Done::NotShutDown),
        Err(error @ ServeError::Stream(_)) => {
            Err(Failure::environment("coec::lsp::stream", error.to_string(), STREAM))
        }
        Err(error @ (ServeError::Protocol(_) | ServeError::Begin(_))) => {
            Err(Failure::input("coec::lsp::protocol", error.to_string(), PROTOCOL))
        }
    }
}

const STREAM: &str = "the editor went away, or closed its end; start the server again from there";
const PROTOCOL: &str = "`coec lsp` is started by editors: docs/editors.md says how";
