//! Writing a commit.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use coec_ir::{Model, Tensors, Verified};
use coec_nn::LanguageModel;
use serde::Serialize;

use super::file::SummedFile;
use super::{CLOCK, Commits, FileSum, MANIFEST, MODEL, Manifest, OPTIMIZER, STATE};
use coec_store::atomic;

use crate::{
    optimizer::AdamW,
    run_dir::error::RunError,
    run_dir::state::{Clock, State},
    weights::{Announced, Dtype, Values, WeightsError, Writer},
};

/// What is committed.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// The weights, and the state that is saved with them.
    pub model: &'a LanguageModel,
    /// The moments.
    pub optimizer: &'a AdamW,
    /// Everything else.
    pub state: &'a State,
    /// What depends on the clock.
    pub clock: &'a Clock,
}

impl Commits {
    /// Commits `contents`; the bytes written. A sound commit of the same stage is the same state: it stays.
    pub fn write(&self, contents: Contents<'_>) -> Result<u64, RunError> {
        if self.holds(contents.state.stage())? {
            return Ok(0);
        }
        let path = self.place(contents.state.stage());
        let unwritable = |path: &Path| {
            let path = path.to_owned();
            |source| RunError::Unwritable { path, source }
        };
        self.make_folder().map_err(unwritable(&self.path))?;
        // One number, one writer: who writes holds the lock, and what stands there is left over.
        let scratch = atomic::scratch(&path, 0).map_err(unwritable(&path))?;
        if scratch.exists() {
            self.disk.remove_dir(&scratch).map_err(unwritable(&scratch))?;
        }
        self.disk.create_dir(&scratch).map_err(unwritable(&scratch))?;
        let written = self.write_files(&scratch, contents).and_then(|bytes| {
            let named = self.disk.rename(&scratch, &path).and_then(|()| self.disk.sync_dir(&self.path));
            named.map_err(unwritable(&path))?;
            Ok(bytes)
        });
        if written.is_err() {
            // What could not be finished makes room; if it cannot be removed, the next start does.
            let _ = self.disk.remove_dir(&scratch);
        }
        written
    }

    fn make_folder(&self) -> io::Result<()> {
        match self.disk.create_dir(&self.path) {
            Ok(()) => self.disk.sync_dir(atomic::folder(&self.path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn write_files(&self, folder: &Path, contents: Contents<'_>) -> Result<u64, RunError> {
        let files = vec![
            self.write_model(folder, contents)?,
            self.write_moments(folder, contents)?,
            self.write_json(folder, STATE, contents.state)?,
            self.write_json(folder, CLOCK, contents.clock)?,
        ];
        let bytes = files.iter().map(|file| file.sum.bytes).sum();
        let manifest = Manifest::new(contents.state.step, contents.state.val_loss_here(), files);
        self.write_bytes(folder, MANIFEST, &manifest.to_json())?;
        self.disk
            .sync_dir(folder)
            .map_err(|source| RunError::Unwritable { path: folder.to_owned(), source })?;
        Ok(bytes)
    }

    fn write_model(&self, folder: &Path, contents: Contents<'_>) -> Result<FileSum, RunError> {
        let bindings = contents.model.bindings();
        let params = bindings.iter().flat_map(|binding| &binding.parts);
        let announced = params.map(|param| announce(&param.name, &param.shape)).collect();
        self.write_tensors(folder, MODEL, contents.state, announced, &mut |writer| {
            contents.model.each_tensor(|param, values| writer.write(&param.name, Values::F32(values)))
        })
    }

    fn write_moments(&self, folder: &Path, contents: Contents<'_>) -> Result<FileSum, RunError> {
        let bindings = contents.model.bindings();
        let announced = contents.optimizer.moment_names(bindings);
        let announced = announced.map(|(name, shape)| announce(&name, shape)).collect();
        self.write_tensors(folder, OPTIMIZER, contents.state, announced, &mut |writer| {
            contents.optimizer.each_moment(bindings, |name, values| writer.write(name, Values::F32(values)))
        })
    }

    fn write_tensors(
        &self,
        folder: &Path,
        name: &str,
        state: &State,
        announced: Vec<Announced>,
        write: &mut dyn FnMut(&mut Writer<SummedFile>) -> Result<(), WeightsError>,
    ) -> Result<FileSum, RunError> {
        let path = folder.join(name);
        let step = state.step.to_string();
        let metadata = [("format", "pt"), ("schema", coec_ir::SCHEMA), ("step", step.as_str())];
        let file =
            SummedFile::create(&*self.disk, folder, name).map_err(|source| unwritable(&path, source))?;
        let mut writer = Writer::begin(&path, file, &announced, &metadata)?;
        write(&mut writer)?;
        Ok(writer.end()?.finish().map_err(|source| unwritable(&path, source))?)
    }

    fn write_json(&self, folder: &Path, name: &str, value: &impl Serialize) -> Result<FileSum, RunError> {
        let mut text = serde_json::to_vec_pretty(value)
            .map_err(|error| RunError::Unwritable { path: folder.join(name), source: error.into() })?;
        text.push(b'\n');
        self.write_bytes(folder, name, &text)
    }

    fn write_bytes(&self, folder: &Path, name: &str, bytes: &[u8]) -> Result<FileSum, RunError> {
        let written = SummedFile::create(&*self.disk, folder, name).and_then(|mut file| {
            file.write_all(bytes)?;
            file.finish()
        });
        written.map_err(|source| RunError::Unwritable { path: folder.join(name), source })
    }
}

fn unwritable(path: &Path, source: io::Error) -> WeightsError {
    WeightsError::Unwritable { path: PathBuf::from(path), source }
}

fn announce(name: &str, shape: &[usize]) -> Announced {
    Announced { name: name.to_owned(), dtype: Dtype::F32, shape: shape.to_vec() }
}

/// Bytes that a commit of a run of `model` takes, to the last number, a little more for the rest.
pub fn bytes_of(model: &Verified<Model>) -> u64 {
    let tensors = Tensors::of(model);
    let elements =
        |params: &[coec_ir::Param]| params.iter().map(|param| param.elements() as u64).sum::<u64>();
    // Two moments beside each trained number; names, shapes and places of each tensor in three headers.
    let headers = 600 * (tensors.trained.len() + tensors.state.len()) as u64;
    4 * (3 * elements(&tensors.trained) + elements(&tensors.state)) + headers + (1 << 16)
}
