//! The list of a commit's files, written last: a commit is whole when its manifest says so.

use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;

/// What a commit holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    #[serde(flatten)]
    body: Body,
    /// XXH3-128 of the rest of this document.
    xxh3: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Body {
    /// The version of the format.
    schema: String,
    /// Steps done.
    step: usize,
    /// The validation loss after that very step, if it was evaluated.
    val_loss: Option<f64>,
    /// Every other file.
    files: Vec<FileSum>,
}

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSum {
    /// Its name.
    pub name: String,
    /// Its length and sum.
    #[serde(flatten)]
    pub sum: Fingerprint,
}

impl Manifest {
    /// Of a commit after `step` steps.
    pub fn new(step: usize, val_loss: Option<f64>, files: Vec<FileSum>) -> Self {
        // A loss that is not a number is none that could be the best.
        let val_loss = val_loss.filter(|loss| loss.is_finite());
        let body = Body { schema: coec_ir::SCHEMA.into(), step, val_loss, files };
        let xxh3 = body.sum();
        Self { body, xxh3 }
    }

    /// Reads one; the reason where it is none, or was changed.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        match manifest.body.sum() == manifest.xxh3 {
            true => Ok(manifest),
            false => Err("it does not have the sum that it names".into()),
        }
    }

    /// As a file.
    pub fn to_json(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// Steps done.
    pub fn step(&self) -> usize {
        self.body.step
    }

    /// The validation loss after that very step, if it was evaluated and is a number.
    pub fn val_loss(&self) -> Option<f64> {
        self.body.val_loss
    }

    /// Every other file.
    pub fn files(&self) -> &[FileSum] {
        &self.body.files
    }
}

impl Body {
    fn sum(&self) -> String {
        Fingerprint::of(&serde_json::to_vec(self).unwrap_or_default()).xxh3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_byte_is_noticed() {
        let files = vec![FileSum { name: "state.json".into(), sum: Fingerprint::of(b"state") }];
        let manifest = Manifest::new(30, Some(2.5), files);
        let text = manifest.to_json();
        assert_eq!(Manifest::read(&text).unwrap(), manifest);
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut text = text.clone();
                text[at] ^= 1 << bit;
                // White space may change into other white space.
                assert!(Manifest::read(&text).map_or(true, |read| read == manifest), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn what_is_not_a_number_is_not_the_best() {
        assert_eq!(Manifest::new(1, Some(f64::NAN), Vec::new()).val_loss(), None);
    }
}
