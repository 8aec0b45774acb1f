//! Text from the model.
//!
//!     cargo run --example generate -- --weights model.safetensors --prompt 'Ana has 3 apples.'
//!
//! Weights are those that `coec train` and `coec import` write. Text goes through the
//! tokenizer.json beside them where there is one, and is taken byte by byte where there is none;
//! `--ids 5,17,3` takes tokens as they are. Without weights the model is initialised at random,
//! and so is what it says.

mod ends;
mod text;

use std::error::Error;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};

use CRATE::{LanguageModel, Source, spec};

use self::text::Text;

const USAGE: &str = "\
usage: generate [--weights FILE.safetensors] [--tokenizer tokenizer.json] [--prompt TEXT | --ids 1,2,3]
                [--tokens N] [--backend cpu|ndarray|wgpu|cuda]";

struct Arguments {
    weights: Option<PathBuf>,
    tokenizer: Option<PathBuf>,
    prompt: String,
    ids: Option<Vec<u32>>,
    tokens: usize,
    backend: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::read()?;
    let device = device(&arguments.backend)?;
    let model = match &arguments.weights {
        Some(path) => load(LanguageModel::new(&device, Source::Zeros), &mut Weights::open(path)?)?,
        None => {
            eprintln!("no --weights: the model is initialised at random");
            LanguageModel::new(&device, Source::Seed(42))
        }
    };
    let text = Text::open(arguments.tokenizer().as_deref())?;
    let spec = spec();
    // Tokens in, tokens out; or text in, and text out until the document ends.
    let (mut ids, known, ends) = match &arguments.ids {
        Some(ids) => (ids.clone(), spec.vocab, &[][..]),
        None => (text.encode(&arguments.prompt)?, text.vocab.min(spec.vocab), text.ends.as_slice()),
    };
    let prompt = ids.clone();
    // An empty prompt is the start of a document.
    if ids.is_empty() {
        ids.push(text.ends.first().copied().unwrap_or(0));
    }
    if let Some(id) = ids.iter().find(|&&id| id as usize >= spec.vocab) {
        return Err(format!("token {id} is not among the {} of the vocabulary", spec.vocab).into());
    }
    ids.drain(..ids.len().saturating_sub(spec.context));

    let mut cache = model.cache();
    let mut unread = ids;
    let mut written = Vec::new();
    while written.len() < arguments.tokens && cache.seen() + unread.len() <= spec.context {
        let count = unread.len();
        let row: Vec<i32> = unread.iter().map(|&id| id as i32).collect();
        let row = Tensor::<2, Int>::from_data(TensorData::new(row, [1, count]), &device); // [1, T]
        let logits = model.extend(row, &mut cache); // [1, T, V]
        // The likeliest of the tokens that are known.
        let next = logits.narrow(1, count - 1, 1).narrow(2, 0, known).argmax(2).into_scalar::<i64>() as u32;
        if ends.contains(&next) {
            break;
        }
        written.push(next);
        unread = vec![next];
    }
    let mut out = std::io::stdout().lock();
    match arguments.ids {
        Some(_) => writeln!(out, "{}", written.iter().map(u32::to_string).collect::<Vec<_>>().join(","))?,
        None => writeln!(out, "{}", text.decode(&prompt, &written)?)?,
    }
    Ok(())
}

impl Arguments {
    fn read() -> Result<Self, Box<dyn Error>> {
        let mut found = Self {
            weights: None,
            tokenizer: None,
            prompt: String::new(),
            ids: None,
            tokens: 64,
            backend: "cpu".into(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            if name == "--help" {
                println!("{USAGE}");
                std::process::exit(0);
            }
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value\n{USAGE}"))?;
            match name.as_str() {
                "--weights" => found.weights = Some(value.into()),
                "--tokenizer" => found.tokenizer = Some(value.into()),
                "--prompt" => found.prompt = value,
                "--ids" => {
                    found.ids = Some(value.split(',').map(|id| id.trim().parse()).collect::<Result<_, _>>()?);
                }
                "--tokens" => found.tokens = value.parse()?,
                "--backend" => found.backend = value,
                _ => return Err(format!("there is no {name}\n{USAGE}").into()),
            }
        }
        Ok(found)
    }

    /// The tokenizer named, or the one beside the weights.
    fn tokenizer(&self) -> Option<PathBuf> {
        let beside = self.weights.as_ref().map(|path| path.with_file_name("tokenizer.json"));
        self.tokenizer.clone().or(beside.filter(|path| path.is_file()))
    }
}

// NdArray stays until Burn removes it; the last arm but one is for backends that are left out.
#[allow(deprecated, unreachable_patterns)]
fn device(backend: &str) -> Result<Device, String> {
    match backend {
        #[cfg(feature = "flex")]
        "cpu" => Ok(Device::flex()),
        #[cfg(feature = "ndarray")]
        "ndarray" => Ok(Device::ndarray()),
        #[cfg(feature = "wgpu")]
        "wgpu" => first(burn::tensor::DeviceType::Wgpu, "no GPU with a driver for it was found"),
        #[cfg(feature = "cuda")]
        "cuda" => first(burn::tensor::DeviceType::Cuda, "no NVIDIA GPU or driver was found"),
        "cpu" | "ndarray" | "wgpu" | "cuda" => {
            Err(format!("{backend} is not compiled in; see Cargo.toml's features"))
        }
        _ => Err(format!("there is no backend {backend}\n{USAGE}")),
    }
}

/// The first device of a runtime. Without a driver even the question panics.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn first(kind: burn::tensor::DeviceType, missing: &str) -> Result<Device, String> {
    let found = std::panic::catch_unwind(|| Device::enumerate(kind).into_iter().next());
    found.ok().flatten().ok_or_else(|| missing.into())
}

/// A safetensors file; a tensor is read when it is asked for.
struct Weights {
    file: File,
    /// Where the data begins.
    data: u64,
    header: Metadata,
}

impl Weights {
    fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        let mut file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut length = [0; 8];
        file.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        if length > file.metadata()?.len() {
            return Err(format!("{} is not a safetensors file", path.display()).into());
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header)?;
        Ok(Self { file, data: 8 + length, header: serde_json::from_slice(&header)? })
    }

    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let TensorInfo { dtype, shape: found, data_offsets: (start, end) } =
            self.header.info(name).ok_or("it is not in the file")?.clone();
        if found != shape {
            return Err(format!("its shape is {found:?}, not {shape:?}"));
        }
        let dtype = match dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => return Err(format!("its numbers are {other:?}, not f32, f16 or bf16")),
        };
        let mut bytes = vec![0; end - start];
        let read = self.file.seek(SeekFrom::Start(self.data + start as u64));
        read.and_then(|_| self.file.read_exact(&mut bytes)).map_err(|error| error.to_string())?;
        let values = TensorData::from_bytes_vec(bytes, found, dtype).convert::<f32>();
        values.try_into_vec::<f32>().map_err(|error| format!("{error:?}"))
    }
}

/// The model with the tensors of a file, which must be exactly its own.
fn load(model: LanguageModel, weights: &mut Weights) -> Result<LanguageModel, Box<dyn Error>> {
    let own: Vec<String> =
        model.bindings().iter().flat_map(|binding| &binding.parts).map(|part| part.name.clone()).collect();
    if let Some(name) = weights.header.tensors().keys().find(|name| !own.contains(name)) {
        return Err(format!("the file has a tensor `{name}`, and the model has none").into());
    }
    Ok(model.load(|param| weights.tensor(&param.name, &param.shape))?)
}
