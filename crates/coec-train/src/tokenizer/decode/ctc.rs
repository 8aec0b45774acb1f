//! Tokens of which several in a row are one.

use tokenizers::Decoder;
use tokenizers::decoders::ctc::CTC;

use super::super::hf::guard;
use super::stage::{Assembly, Part, Stage};

/// The step `CTC`: a token that repeats the one before is left out, and so is the pad.
#[derive(Debug)]
pub(super) struct Ctc {
    decoder: CTC,
    token: Assembly,
    before: Option<String>,
}

impl Ctc {
    pub fn new(decoder: CTC) -> Self {
        Self { decoder, token: Assembly::default(), before: None }
    }
}

impl Stage for Ctc {
    fn push(&mut self, part: Part, out: &mut Vec<Part>) -> Result<(), String> {
        let Some(token) = self.token.token(part).filter(|token| self.before.as_ref() != Some(token)) else {
            return Ok(());
        };
        self.before = Some(token.clone());
        out.extend(guard(|| self.decoder.decode_chain(vec![token]))?.into_iter().map(Part::whole));
        Ok(())
    }
}
