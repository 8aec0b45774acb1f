//! A disk that fails when it is told to, and knows what a loss of power would leave of it.
//!
//! Files stand in a real folder, which is what a killed process leaves. Beside it the disk keeps what
//! was flushed: the bytes of a file as of its last `sync`, the names of a folder as of its last
//! `sync_dir`. That is what a machine finds after its power came back, at worst.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use coec_store::disk::{Disk, DiskFile, Lock, System};

/// What happens at one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails, and has done nothing.
    Error,
    /// It fails for want of space; of a write, half is done.
    NoSpace,
    /// Of a write, half is done, and said so: no failure at all.
    ShortWrite,
    /// The process is killed: half of a write is done, and nothing after it.
    Crash,
}

/// A disk whose folder is `root`.
#[derive(Debug, Clone)]
pub(crate) struct FaultyDisk(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    /// Operations so far.
    operations: usize,
    fault: Option<(usize, Fault)>,
    crashed: bool,
    full_at_write: bool,
    /// Names in each folder, now and as flushed. Folder 0 is the root.
    now: HashMap<Id, Names>,
    flushed: HashMap<Id, Names>,
    /// Bytes of each file as flushed.
    bytes: HashMap<Id, Vec<u8>>,
    next: Id,
}

type Id = u64;
type Names = BTreeMap<OsString, Entry>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Folder(Id),
    File(Id),
}

/// What is to be done of an operation.
enum Turn {
    All,
    Half,
    HalfThenFail(io::Error),
}

impl FaultyDisk {
    /// An empty disk in the empty folder `root`, with a fault at one operation, counted from 0.
    pub fn new(root: &Path, fault: Option<(usize, Fault)>) -> Self {
        let names = HashMap::from([(0, Names::new())]);
        Self(Arc::new(Mutex::new(Inner {
            root: root.to_owned(),
            operations: 0,
            fault,
            crashed: false,
            full_at_write: false,
            now: names.clone(),
            flushed: names,
            bytes: HashMap::new(),
            next: 1,
        })))
    }

    /// A disk without faults over what is in the folder `root`, all of it flushed.
    pub fn over(root: &Path) -> Self {
        let disk = Self::new(root, None);
        disk.inner().find(0, root);
        disk
    }

    /// The same disk, full at the first write and never again.
    pub fn full_at_first_write(self) -> Self {
        self.inner().full_at_write = true;
        self
    }

    /// Operations so far.
    pub fn operations(&self) -> usize {
        self.inner().operations
    }

    /// Writes what a loss of power would leave into the empty folder `to`.
    pub fn after_power_loss(&self, to: &Path) {
        self.inner().leave(0, to);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }
}

impl Inner {
    /// Counts an operation that changes something.
    fn turn(&mut self) -> io::Result<Turn> {
        let number = self.operations;
        self.operations += 1;
        if self.crashed {
            return Err(io::Error::other("the process is dead"));
        }
        let fail = |kind| Err(io::Error::from(kind));
        match self.fault.filter(|(at, _)| *at == number) {
            None => Ok(Turn::All),
            Some((_, Fault::Error)) => fail(io::ErrorKind::Other),
            Some((_, Fault::NoSpace)) => Ok(Turn::HalfThenFail(io::ErrorKind::StorageFull.into())),
            Some((_, Fault::ShortWrite)) => Ok(Turn::Half),
            Some((_, Fault::Crash)) => {
                self.crashed = true;
                Ok(Turn::HalfThenFail(io::Error::other("killed")))
            }
        }
    }

    /// The same for an operation that is done or not.
    fn whole_turn(&mut self) -> io::Result<()> {
        match self.turn()? {
            Turn::All | Turn::Half => Ok(()),
            Turn::HalfThenFail(error) => Err(error),
        }
    }

    fn parts<'a>(&self, path: &'a Path) -> Vec<&'a std::ffi::OsStr> {
        let below = path.strip_prefix(&self.root).expect("every path is on the disk");
        below
            .components()
            .map(|part| match part {
                Component::Normal(name) => name,
                other => panic!("no plain path: {other:?}"),
            })
            .collect()
    }

    fn folder(&self, path: &Path) -> Id {
        self.parts(path).iter().fold(0, |id, name| match self.now[&id].get(*name) {
            Some(Entry::Folder(id)) => *id,
            other => panic!("{} is {other:?}", path.display()),
        })
    }

    /// The names that `path` is one of.
    fn names(&mut self, path: &Path) -> &mut Names {
        let id = self.folder(path.parent().unwrap());
        self.now.get_mut(&id).unwrap()
    }

    fn add(&mut self, path: &Path, entry: Entry) {
        let name = path.file_name().unwrap().to_owned();
        self.names(path).insert(name, entry);
    }

    fn take(&mut self, path: &Path) -> Entry {
        let name = path.file_name().unwrap();
        self.names(path).remove(name).unwrap()
    }

    fn new_id(&mut self) -> Id {
        self.next += 1;
        self.next - 1
    }

    /// The number of the file `path`, which may have been there before the disk was.
    fn file(&mut self, path: &Path) -> Id {
        let name = path.file_name().unwrap();
        if let Some(Entry::File(id)) = self.names(path).get(name) {
            return *id;
        }
        let id = self.new_id();
        self.add(path, Entry::File(id));
        self.bytes.insert(id, Vec::new());
        id
    }

    /// Takes up what is in a folder.
    fn find(&mut self, folder: Id, path: &Path) {
        for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
            let id = self.new_id();
            let is_folder = entry.file_type().unwrap().is_dir();
            let found = if is_folder { Entry::Folder(id) } else { Entry::File(id) };
            self.now.get_mut(&folder).unwrap().insert(entry.file_name(), found);
            if is_folder {
                self.now.insert(id, Names::new());
                self.find(id, &entry.path());
            } else {
                self.bytes.insert(id, fs::read(entry.path()).unwrap());
            }
        }
        self.flushed.insert(folder, self.now[&folder].clone());
    }

    fn leave(&self, folder: Id, to: &Path) {
        for (name, entry) in &self.flushed[&folder] {
            let path = to.join(name);
            match entry {
                Entry::Folder(id) => {
                    fs::create_dir(&path).unwrap();
                    self.leave(*id, &path);
                }
                Entry::File(id) => fs::write(&path, &self.bytes[id]).unwrap(),
            }
        }
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut inner = self.inner();
        inner.whole_turn()?;
        let file = System.create(path)?;
        let id = inner.file(path);
        Ok(Box::new(FaultyFile { disk: self.clone(), file, id }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut inner = self.inner();
        inner.whole_turn()?;
        let file = System.open(path)?;
        let id = inner.file(path);
        Ok(Box::new(FaultyFile { disk: self.clone(), file, id }))
    }

    fn open_or_create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut inner = self.inner();
        inner.whole_turn()?;
        let file = System.open_or_create(path)?;
        let id = inner.file(path);
        Ok(Box::new(FaultyFile { disk: self.clone(), file, id }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        inner.whole_turn()?;
        System.create_dir(path)?;
        let id = inner.new_id();
        inner.add(path, Entry::Folder(id));
        inner.now.insert(id, Names::new());
        inner.flushed.insert(id, Names::new());
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        inner.whole_turn()?;
        System.rename(from, to)?;
        // Between two names of one file a rename does nothing.
        if !from.exists() {
            let entry = inner.take(from);
            inner.add(to, entry);
        }
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        inner.whole_turn()?;
        System.link(from, to)?;
        let id = inner.file(from);
        inner.add(to, Entry::File(id));
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        inner.whole_turn()?;
        System.remove_file(path)?;
        inner.take(path);
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        inner.whole_turn()?;
        System.remove_dir(path)?;
        inner.take(path);
        Ok(())
    }

    fn names(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.inner().whole_turn()?;
        System.names(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        inner.whole_turn()?;
        let id = inner.folder(path);
        let names = inner.now[&id].clone();
        inner.flushed.insert(id, names);
        Ok(())
    }

    fn free(&self, _: &Path) -> io::Result<Option<u64>> {
        Ok(None)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let mut inner = self.inner();
        inner.whole_turn()?;
        let lock = System.lock(path)?;
        inner.file(path);
        Ok(lock)
    }
}

#[derive(Debug)]
struct FaultyFile {
    disk: FaultyDisk,
    file: Box<dyn DiskFile>,
    id: Id,
}

impl Read for FaultyFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.disk.inner().whole_turn()?;
        self.file.read(bytes)
    }
}

impl Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.disk.inner();
        let turn = match std::mem::take(&mut inner.full_at_write) {
            true => Turn::HalfThenFail(io::ErrorKind::StorageFull.into()),
            false => inner.turn()?,
        };
        drop(inner);
        match turn {
            Turn::All => self.file.write(bytes),
            Turn::Half => self.file.write(&bytes[..bytes.len().div_ceil(2)]),
            Turn::HalfThenFail(error) => {
                self.file.write_all(&bytes[..bytes.len() / 2])?;
                Err(error)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for FaultyFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl DiskFile for FaultyFile {
    fn sync(&mut self) -> io::Result<()> {
        let mut inner = self.disk.inner();
        inner.whole_turn()?;
        let at = self.file.stream_position()?;
        let mut bytes = Vec::new();
        self.file.rewind()?;
        self.file.read_to_end(&mut bytes)?;
        self.file.seek(SeekFrom::Start(at))?;
        inner.bytes.insert(self.id, bytes);
        Ok(())
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        self.disk.inner().whole_turn()?;
        self.file.set_len(bytes)
    }
}
