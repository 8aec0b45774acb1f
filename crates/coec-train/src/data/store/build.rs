//! Making tokens: a source read once, tokenised on all cores, a few megabytes at a time.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use coec_ir::Loss;

use super::entry::{Entry, Part, TRAIN, VALIDATION};
use super::file::TokenWriter;
use super::{DataError, Tokens, UNLEARNT};
use crate::data::cache::unwritable;
use crate::data::source::{Piece, Source, Survey};
use crate::fingerprint::Fingerprinter;
use crate::tokenizer::{Encoder, Lost, Tokenizer};

/// Bytes of text tokenised together; bounds the memory that text and tokens take at once.
const AT_ONCE: usize = 2 << 20;

/// Says that the same text makes other tokens than before, when it does.
const VERSION: usize = 2;

/// What tokens are made of.
#[derive(Clone, Copy)]
pub(crate) struct Making<'a> {
    pub source: &'a Source,
    pub survey: &'a Survey,
    pub tokenizer: &'a Tokenizer,
    /// The tokenizer's own bytes.
    pub tokenizer_json: &'a str,
    pub loss: Loss,
    /// Whether nothing is held out.
    pub whole: bool,
}

/// The tokens of a source: what is learnt from, and what is held out. From the cache where they are in
/// it, and made and put there where not; `tell` hears of the bytes of text as they are done.
pub(crate) fn tokenised(making: Making<'_>, tell: &mut dyn FnMut(u64)) -> Result<[Tokens; 2], DataError> {
    if !making.source.is_read_from_files() {
        let mut out = [(); 2].map(|()| Side::new(Out::Memory(Vec::new())));
        making.write(&mut out, tell)?;
        return Ok(out.map(Side::in_memory));
    }
    let entry = Entry::of(&making.key())?;
    if let Some(tokens) = entry.open() {
        return Ok(tokens);
    }
    // Whoever comes second waits, and finds what the first has made.
    let _lock = entry.lock()?;
    if let Some(tokens) = entry.open() {
        return Ok(tokens);
    }
    entry.make(&mut |folder| {
        let create = |part| TokenWriter::create(folder, part).map(Out::File).map(Side::new);
        let failed = |source| unwritable(folder, source);
        let mut out = [create(TRAIN).map_err(failed)?, create(VALIDATION).map_err(failed)?];
        making.write(&mut out, tell)?;
        let [train, validation] = out.map(|side| side.finish(folder));
        Ok([train?, validation?])
    })?;
    entry.open().ok_or_else(|| unwritable(entry.path(), io::Error::other("it is not what was written")))
}

impl Making<'_> {
    /// What tells these tokens from all others.
    fn key(&self) -> String {
        let mut made = Fingerprinter::default();
        made.mark(VERSION);
        for part in [
            self.source.reading().as_str(),
            self.survey.fingerprint.xxh3.as_str(),
            self.tokenizer_json,
            self.loss.word(),
            if self.whole { "whole" } else { "split" },
        ] {
            made.mark(part.len());
            made.add(part.as_bytes());
        }
        made.finish().xxh3
    }

    /// Reads the source and writes its tokens.
    fn write(&self, out: &mut [Side; 2], tell: &mut dyn FnMut(u64)) -> Result<(), DataError> {
        let mut batch = Batch::default();
        let encoder = self.tokenizer.encoder()?;
        self.source.read(self.survey, self.whole, &mut |piece| {
            batch.push(&piece, self.loss);
            if batch.bytes >= AT_ONCE {
                batch.flush(&encoder, out, tell)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        batch.flush(&encoder, out, tell)
    }
}

/// Pieces waiting to be tokenised together.
#[derive(Default)]
struct Batch {
    texts: Vec<String>,
    /// Of each text: the side it is on, whether it is learnt, whether its document ends with it.
    marks: Vec<(usize, bool, bool)>,
    bytes: usize,
}

impl Batch {
    /// Adds a piece; where only completions are learnt, prompt and completion as texts of their own, as
    /// they are read when text is generated.
    fn push(&mut self, piece: &Piece<'_>, loss: Loss) {
        let side = usize::from(piece.is_held_out);
        let mut add = |text: &str, is_learnt: bool, ends: bool| {
            self.bytes += text.len();
            self.texts.push(text.to_owned());
            self.marks.push((side, is_learnt, ends));
        };
        if loss == Loss::All {
            return add(piece.text, true, piece.ends);
        }
        let mut at = 0;
        for range in piece.learnt.iter().filter(|range| !range.is_empty()) {
            if range.start > at {
                add(&piece.text[at..range.start], false, false);
            }
            at = range.end;
            add(&piece.text[range.clone()], true, piece.ends && at == piece.text.len());
        }
        if at < piece.text.len() {
            add(&piece.text[at..], false, piece.ends);
        }
    }

    fn flush(
        &mut self,
        encoder: &Encoder<'_>,
        out: &mut [Side; 2],
        tell: &mut dyn FnMut(u64),
    ) -> Result<(), DataError> {
        let separator = encoder.tokenizer().separator();
        let all = encoder.encode(&self.texts)?;
        for (((mut ids, lost), text), &(side, is_learnt, ends)) in
            all.into_iter().zip(&self.texts).zip(&self.marks)
        {
            if ends {
                ids.extend(separator);
            }
            if !is_learnt {
                ids.iter_mut().for_each(|id| *id |= UNLEARNT);
            }
            let side = &mut out[side];
            side.write(&ids)?;
            side.bytes += (text.len() + usize::from(ends && separator.is_some())) as u64;
            side.documents += u64::from(ends);
            side.has_prompts |= !is_learnt;
            side.lost = side.lost.and(lost);
        }
        tell(self.bytes as u64);
        *self = Self::default();
        Ok(())
    }
}

/// The tokens of one side as they are made.
struct Side {
    out: Out,
    documents: u64,
    bytes: u64,
    has_prompts: bool,
    lost: Lost,
}

enum Out {
    Memory(Vec<u32>),
    File(TokenWriter),
}

impl Side {
    fn new(out: Out) -> Self {
        Self { out, documents: 0, bytes: 0, has_prompts: false, lost: Lost::default() }
    }

    fn write(&mut self, ids: &[u32]) -> Result<(), DataError> {
        match &mut self.out {
            Out::Memory(all) => all.extend_from_slice(ids),
            Out::File(file) => file.write(ids).map_err(|source| unwritable(Path::new("tokens"), source))?,
        }
        Ok(())
    }

    fn in_memory(self) -> Tokens {
        let ids = match self.out {
            Out::Memory(ids) => ids,
            Out::File(_) => Vec::new(),
        };
        Tokens::in_memory(ids, self.documents, self.bytes, self.lost)
    }

    /// Ends a file.
    fn finish(self, folder: &Path) -> Result<Part, DataError> {
        let tokens = match self.out {
            Out::Memory(ids) => ids.len(),
            Out::File(file) => file.finish().map_err(|source| unwritable(folder, source))?,
        };
        let Self { documents, bytes, has_prompts, lost, .. } = self;
        Ok(Part { tokens, documents, bytes, has_prompts, lost })
    }
}
