//! The language server of `.coe`, `coec lsp`.
//!
//! [`serve`] speaks the Language Server Protocol over a connection. What it says of a text is what the compiler says:
//! errors and budgets come from [`coec_lang::load`] and [`coec_lang::check`], unchanged, with open texts in
//! place of the files on the disk; what stands at a place comes from [`coec_lang::outline`]; words mean what
//! docs/language.md says, which is part of the program.
//!
//! # The way through
//!
//! - `server` reads messages, holds the open texts and answers; `requests` says which feature answers what.
//! - `snapshot` is the texts at one moment and the loader that reads them; `text` counts in the protocol's positions.
//! - `analysis` is what the compiler says of a file. It is kept until a file that was read for it changes.
//! - `features` has a file for each thing an editor asks.
//! - `reference` reads the language's reference, `pages` writes the page of an error code.

#![warn(missing_docs)]

mod analysis;
mod capabilities;
mod features;
mod pages;
mod reference;
mod requests;
mod server;
mod snapshot;
mod specs;
mod text;

use std::path::PathBuf;
use std::sync::Arc;

use coec_lang::Loader;
use lsp_server::{Connection, Response};

pub use pages::Explain;

/// What a server needs of the program it is part of.
pub struct Host {
    /// Where files come from that are not open.
    pub disk: Arc<dyn Loader + Send + Sync>,
    /// What there is to say of an error code, in Markdown.
    pub explain: Explain,
    /// Where the pages of error codes are written; without it diagnostics link to none.
    pub pages: Option<PathBuf>,
    /// The version that the client is told.
    pub version: &'static str,
}

/// How a client ended its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// As the protocol wants it, or by going away.
    Well,
    /// By `exit` without a request to shut down, which the protocol wants to see in the exit code.
    WithoutShutdown,
}

/// Why a server ended before its client said so.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The client did not follow the protocol, or went away in the middle of it.
    #[error("the client broke the protocol: {0}")]
    Protocol(#[from] lsp_server::ProtocolError),
    /// A message could not be read or written.
    #[error("messages cannot be read or written: {0}")]
    Stream(#[from] std::io::Error),
    /// The client's first message makes no sense.
    #[error("the client's request to begin cannot be read: {0}")]
    Begin(#[from] serde_json::Error),
}

/// Serves a client on standard input and output until it says to stop.
///
/// # Errors
///
/// A client that breaks the protocol or goes away without a word; streams that fail.
pub fn serve_stdio(host: Host) -> Result<Ended, ServeError> {
    let (connection, threads) = Connection::stdio();
    let served = serve(&connection, host);
    // The threads end when nobody can send to them any more.
    drop(connection);
    let ended = served?;
    threads.join()?;
    Ok(ended)
}

/// Serves a client on a connection until it says to stop.
///
/// # Errors
///
/// As of [`serve_stdio`].
pub fn serve(connection: &Connection, host: Host) -> Result<Ended, ServeError> {
    let (id, params) = connection.initialize_start()?;
    let params: gen_lsp_types::InitializeParams = serde_json::from_value(params)?;
    let client = capabilities::Client::of(&params);
    let answer = Response::new_ok(id, capabilities::answer(&client, host.version));
    // A client that has gone takes no answer; the server's first read says so.
    drop(connection.sender.send(answer.into()));
    Ok(server::Server::new(connection, host, client).run())
}
