//! Depending on coec-nn in place of carrying its files.

use std::str::FromStr;

/// Where coec-ir and coec-nn come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// A checkout of the project.
    Path(String),
    /// A repository, at a revision where one is given.
    Git {
        /// Its address.
        url: String,
        /// A commit, tag or branch.
        rev: Option<String>,
    },
    /// A registry, by a requirement such as `=0.1.0`.
    Version(String),
}

/// What is wrong with the text of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a link is path=DIR, git=URL, git=URL#REV, version or version=X")]
pub struct ParseLinkError;

impl FromStr for Link {
    type Err = ParseLinkError;

    fn from_str(text: &str) -> Result<Self, ParseLinkError> {
        let (kind, value) = text.split_once('=').map_or((text, None), |(kind, value)| (kind, Some(value)));
        match (kind, value) {
            ("path", Some(path)) if !path.is_empty() => Ok(Self::Path(path.into())),
            ("git", Some(address)) => {
                let (url, rev) =
                    address.split_once('#').map_or((address, None), |(url, rev)| (url, Some(rev)));
                if url.is_empty() || rev == Some("") {
                    return Err(ParseLinkError);
                }
                Ok(Self::Git { url: url.into(), rev: rev.map(String::from) })
            }
            ("version", None) => Ok(Self::Version(format!("={}", env!("CARGO_PKG_VERSION")))),
            ("version", Some(version)) if !version.is_empty() => Ok(Self::Version(version.into())),
            _ => Err(ParseLinkError),
        }
    }
}

impl Link {
    /// The dependency on one of the project's crates, with `rest` in its table.
    pub(crate) fn dependency(&self, name: &str, rest: &str) -> String {
        match self {
            Self::Path(path) => {
                let path = format!("{}/crates/{name}", path.trim_end_matches('/'));
                format!("{{ path = {path:?}{rest} }}")
            }
            Self::Git { url, rev: Some(rev) } => format!("{{ git = {url:?}, rev = {rev:?}{rest} }}"),
            Self::Git { url, rev: None } => format!("{{ git = {url:?}{rest} }}"),
            Self::Version(version) => format!("{{ version = {version:?}{rest} }}"),
        }
    }
}
