//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use coec_ir::Precision;

#[cfg(feature = "train")]
mod running;

#[cfg(feature = "train")]
pub use running::{
    CompareArgs, DeviceArgs, DevicesArgs, EvalArgs, ForwardArgs, GenerateArgs, ReportArgs, RunsArgs,
    SweepArgs, TrainArgs, WatchArgs,
};

/// Chain-of-Experts models and their compute budgets, held to each other.
#[derive(Debug, Parser)]
#[command(name = "coec", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  coec train                                     train the built-in quickstart
  coec new tiny && coec check tiny.coe           a commented spec to start from
  coec build specs/paper/coe2_4_64.coe           verify, count, write a Rust crate
  coec cost 'CoE-2(4/64)' 'MoE(8/64)'            the paper's models side by side
  coec train my.coe --set train.steps=2000       train with one field changed
  coec watch runs/quickstart-1                   look at a run while it trains
  coec generate runs/quickstart-1 --prompt 'Ana has 3 apples.'
  coec report runs/quickstart-1                  everything about a run on one page
  coec explain verify::k_exceeds_experts         what an error means, and what to do

Exit codes: 0 done; 1 a budget fails, or a layout under `fmt --check`; 2 a spec, weights or
arguments are wrong; 3 the environment is (files, data, devices, disk, output that cannot be
written); 130 and 143 interrupted; 141 the output was closed before all of it was written.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Parse, resolve, verify and hold specs to their static budgets
    Check(CheckArgs),
    /// Check a model, count its real module, and write it as a Rust crate
    Build(BuildArgs),
    /// Print every figure, several specs side by side
    Cost(CostArgs),
    /// Say what differs between two specs, and whether weights of one load into the other
    Diff(DiffArgs),
    /// Find integers that make a spec cost what another does
    Fit(FitArgs),
    /// Train a model and print its budget report card
    Train(TrainArgs),
    /// Train specs alike, with several seeds, and say what that shows
    Compare(CompareArgs),
    /// Train the runs of a sweep block, one row each
    Sweep(SweepArgs),
    /// Put runs, or a comparison, on one page: losses, experts, budgets, differences, samples
    Report(ReportArgs),
    /// Look at a run while it trains, or afterwards: losses, speed, experts, budgets, time left
    Watch(WatchArgs),
    /// Measure a run, or an import, on other text: loss and nats a byte
    Eval(EvalArgs),
    /// Continue text with a trained run
    Generate(GenerateArgs),
    /// One pass with given weights, for checking parity with another implementation
    Forward(ForwardArgs),
    /// Read a Hugging Face folder: its settings become a spec, its tensors weights
    Import(ImportArgs),
    /// Write a run, an import or a spec as a folder that others read
    Export(ExportArgs),
    /// Say which backends are compiled in, which devices were found, and what is missing
    #[cfg(feature = "train")]
    Devices(DevicesArgs),
    #[cfg(not(feature = "train"))]
    Devices(OtherArgs),
    /// Write a commented spec to start from
    New(NewArgs),
    /// Lay specs out in their one form, comments and meaning kept
    Fmt(FmtArgs),
    /// Draw the model: Mermaid or SVG
    Graph(GraphArgs),
    /// Say what an error code means and what to do about it
    Explain(ExplainArgs),
    /// Serve an editor: errors, figures and completions while one types
    Lsp(LspArgs),
    /// Print what a shell needs to complete commands and options
    Completions(CompletionsArgs),
}

impl Command {
    /// Whether errors are to be printed as JSON.
    pub fn json(&self) -> bool {
        match self {
            Self::Check(a) => a.spec.json.json,
            Self::Build(a) => a.json.json,
            Self::Cost(a) => a.spec.json.json,
            Self::Diff(a) => a.json.json,
            Self::Fit(a) => a.json.json,
            Self::Train(a) => a.json(),
            Self::Compare(a) => a.json(),
            Self::Sweep(a) => a.json(),
            Self::Report(a) => a.json(),
            Self::Watch(a) => a.json(),
            Self::Eval(a) => a.json(),
            Self::Generate(a) => a.json(),
            Self::Forward(a) => a.json(),
            Self::Import(a) => a.json.json,
            Self::Export(a) => a.json.json,
            #[cfg(feature = "train")]
            Self::Devices(a) => a.json.json,
            #[cfg(not(feature = "train"))]
            Self::Devices(a) => a.json(),
            Self::New(a) => a.json.json,
            Self::Fmt(a) => a.json.json,
            Self::Graph(a) => a.json.json,
            Self::Explain(a) => a.json.json,
            // A script for a shell has no other form, and an editor reads no standard error.
            Self::Lsp(_) | Self::Completions(_) => false,
        }
    }
}

/// The arguments of a command that runs a model, which the compiler alone does not.
#[cfg(not(feature = "train"))]
#[derive(Debug, Args)]
pub struct OtherArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<String>,
}

#[cfg(not(feature = "train"))]
impl OtherArgs {
    fn json(&self) -> bool {
        self.rest.iter().any(|arg| arg == "--json")
    }
}

#[cfg(not(feature = "train"))]
pub use OtherArgs as TrainArgs;
#[cfg(not(feature = "train"))]
pub use OtherArgs as CompareArgs;
#[cfg(not(feature = "train"))]
pub use OtherArgs as SweepArgs;
#[cfg(not(feature = "train"))]
pub use OtherArgs as ReportArgs;
#[cfg(not(feature = "train"))]
pub use OtherArgs as WatchArgs;
#[cfg(not(feature = "train"))]
pub use OtherArgs as EvalArgs;
#[cfg(not(feature = "train"))]
pub use OtherArgs as GenerateArgs;
#[cfg(not(feature = "train"))]
pub use OtherArgs as ForwardArgs;

#[derive(Debug, Args)]
pub struct JsonArgs {
    /// Print JSON, errors included
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SetArgs {
    /// Override a field: `--set ffn.k=8`, `--set train.steps=100`; may be repeated
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub sets: Vec<String>,
}

#[derive(Debug, Args)]
pub struct SpecsArgs {
    /// Specs: a path of a spec or a `config.json`, `path#model`, `-` for standard input, or the paper's
    /// notation such as `CoE-2(4/64)`
    #[arg(required = true, value_name = "SPEC")]
    pub specs: Vec<String>,
    #[command(flatten)]
    pub set: SetArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: coec check specs/paper/*.coe")]
pub struct CheckArgs {
    #[command(flatten)]
    pub spec: SpecsArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Writes a Rust crate that stands alone: src/model.rs is the model, tests/budget.rs holds it to its
budget, examples/generate generates text. With --link it depends on coec-nn instead:
  coec build my.coe --link path=../coec           a checkout
  coec build my.coe --link git=URL#REV            a repository, at a revision
  coec build my.coe --link version                the registry, this version; version=X another

Example: coec build specs/coe2_4_64.coe --out build/coe2")]
pub struct BuildArgs {
    /// A path of a spec or a `config.json`, `path#model`, `-` for standard input, or the paper's notation
    pub spec: String,
    /// Where to write; the model's name in the current folder when left out
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Depend on coec-nn in place of carrying its files: path=CHECKOUT, git=URL[#REV], version[=X]
    #[arg(long, value_name = "FROM")]
    pub link: Option<coec_emit::Link>,
    /// Write over files of an earlier output that have been edited
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub set: SetArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// How `coec cost` splits its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// One line a layer
    Layer,
}

/// `precision` on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PrecisionArg {
    /// 32-bit floats
    F32,
    /// bfloat16
    Bf16,
}

impl PrecisionArg {
    /// As the language has it.
    pub fn precision(self) -> Precision {
        match self {
            Self::F32 => Precision::F32,
            Self::Bf16 => Precision::Bf16,
        }
    }
}

/// `recompute` on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecomputeArg {
    /// Nothing
    None,
    /// Sublayers with experts
    Experts,
    /// Whole layers
    Layers,
}

/// `shard` on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShardArg {
    /// Nothing: each has the whole model
    None,
    /// Weights, gradients and moments
    Full,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: coec cost 'CoE-2(4/64)' 'MoE(8/64)' --batch 4 --context 512")]
pub struct CostArgs {
    #[command(flatten)]
    pub spec: SpecsArgs,
    /// Split the figures
    #[arg(long)]
    pub by: Option<By>,
    /// Tokens per sequence; the model's context when left out
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=16_777_216))]
    pub context: Option<u64>,
    /// Sequences
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub batch: u64,
    /// Arithmetic
    #[arg(long, value_enum, default_value_t = PrecisionArg::F32)]
    pub precision: PrecisionArg,
    /// What the backward pass computes again instead of keeping it
    #[arg(long, value_enum, default_value_t = RecomputeArg::None)]
    pub recompute: RecomputeArg,
    /// Processes that train together, each so many sequences: figures of memory are those of one
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub ranks: u64,
    /// What is divided among them
    #[arg(long, value_enum, default_value_t = ShardArg::None)]
    pub shard: ShardArg,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coec diff 'MoE(8/64)' 'CoE-2(4/64)'
  coec diff my.coe --set ffn.experts=48     what a change would do

Fields have the names that --set takes; `ffn[1..3].k` are those of layers 1 and 2. Names of
tensors have alternatives in braces; of `{0..3}` both ends are meant. Exits with 0 whether or not
anything differs; with --json, `equal` says whether the specs mean the same.")]
pub struct DiffArgs {
    /// The first spec: a path of a spec or a `config.json`, `path#model`, `-` for standard input, or the
    /// paper's notation
    #[arg(value_name = "A")]
    pub old: String,
    /// The second; A itself when left out, for what --set changes
    #[arg(value_name = "B", required_unless_present = "sets")]
    pub new: Option<String>,
    /// Override a field of B: `--set ffn.k=8`; may be repeated
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub sets: Vec<String>,
    #[command(flatten)]
    pub json: JsonArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Figures are those of budgets; conditions stand behind ` @ `, as in a budget. The value nearest to
the target is taken, the smaller of two; if it is not within the tolerance, the nearest on both
sides are printed, and the exit code is 1. The spec that --out writes is A's own file with the
value changed and the budget line added.

Examples:
  coec fit chain.coe --free ffn.hidden --match flops.forward=moe.coe --out fair.coe
  coec fit 'CoE-2(4/64)' --free ffn.hidden --match 'flops.forward=MoE(8/64)'
  coec fit my.coe --free ffn.experts --match params.total=350M
  coec fit a.coe --free dim --free layers --match flops.forward=b.coe --match params.total=b.coe
  coec fit my.coe --free dim --match 'memory.train=16GiB @ batch=4, context=512'")]
pub struct FitArgs {
    /// The spec to change: a path of a spec or a `config.json`, `path#model`, `-` for standard input, or the
    /// paper's notation
    #[arg(value_name = "A")]
    pub spec: String,
    /// A field that holds one whole number, as --set names it; twice for two under two figures
    #[arg(long, value_name = "FIELD", required = true)]
    pub free: Vec<String>,
    /// A figure, and the spec or the number that it is to match
    #[arg(long = "match", value_name = "FIGURE=SPEC-or-NUMBER", required = true)]
    pub matches: Vec<String>,
    /// How far a figure may be off, as a share of what it is to match
    #[arg(long, value_name = "P%", default_value = "0.5%")]
    pub tolerance: String,
    /// Where to write the spec that was found
    #[arg(short, long, value_name = "SPEC")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub set: SetArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Families: docs/families.md lists 21, from mixtral and deepseek_v3 to glm4_moe and gpt_oss. A
setting of config.json is honoured, or known to change nothing, or refused by name. Shards are
streamed. FP8 with a factor for each block becomes f32, or what --dtype says.

Examples:
  coec import models/OLMoE-1B-7B-0924 --out olmoe
  coec generate olmoe --prompt 'The sea'
  coec train olmoe/spec.coe --weights olmoe/model.safetensors --data texts.txt")]
pub struct ImportArgs {
    /// A folder with config.json and safetensors
    pub dir: PathBuf,
    /// Where to write spec.coe, model.safetensors and, where there is one, tokenizer.json
    #[arg(short, long, value_name = "OUT")]
    pub out: PathBuf,
    /// What the weights become: each is rounded once. Left out, they stay as they are, and FP8 becomes f32
    #[arg(long, value_enum)]
    pub dtype: Option<Stored>,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// What kind of numbers weights are stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stored {
    F32,
    Bf16,
    F16,
}

/// How `coec export` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A Hugging Face folder: config.json, safetensors, tokenizer.json
    Hf,
    /// The same of any model, with its own PyTorch code, and a training for torchrun
    Torch,
    /// An event file for TensorBoard, made of the run's logs
    Tensorboard,
}

#[derive(Debug, Args)]
#[command(after_help = "\
hf: What was imported goes back under the names it came from, bit for bit. Another run is written in
the first family that can express its model, or in --family; what stops a family is said.

torch: transformers loads the folder with trust_remote_code=True, whatever the model is; check.py
there counts it again, and train_torch.py trains it with FSDP2 and expert parallelism. A spec has
the weights that its training begins with, and the tokens of its data if it has a train block.

Examples:
  coec export runs/quickstart-1 --format hf --out quickstart-hf
  coec export specs/quickstart.coe --format torch --out quickstart-torch
  coec export runs/quickstart-1 --format tensorboard --out events/quickstart")]
pub struct ExportArgs {
    /// A run's directory, or an import's; for torch also a spec
    pub run: PathBuf,
    /// The format
    #[arg(long, value_enum, default_value_t = ExportFormat::Hf)]
    pub format: ExportFormat,
    /// Where to write
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,
    /// The model_type to write, such as mixtral
    #[arg(long)]
    pub family: Option<String>,
    /// Most bytes of one file
    #[arg(long, value_name = "SIZE", default_value = "5GB")]
    pub shard_size: String,
    #[command(flatten)]
    pub json: JsonArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: coec new tiny   writes tiny.coe")]
pub struct NewArgs {
    /// The model's name
    pub name: String,
    #[command(flatten)]
    pub json: JsonArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coec fmt specs/*.coe              rewrites those that are laid out differently
  coec fmt --check specs/*.coe      changes nothing, says which would, and exits with 1 for them
  coec fmt - < my.coe               from standard input to the output

Lines keep their ends: a file whose first line ends in CRLF has CRLF at the end of every line. A
spec that cannot be read or parsed is left as it is, and exits with 2.")]
pub struct FmtArgs {
    /// Files, or `-` for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<String>,
    /// Change nothing; exit with 1 if a file would change
    #[arg(long)]
    pub check: bool,
    #[command(flatten)]
    pub json: JsonArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coec explain                                    every code, by stage
  coec explain coec::verify::k_exceeds_experts    the page of one
  coec explain verify::k_exceeds_experts          the same")]
pub struct ExplainArgs {
    /// The code as an error prints it, with or without `coec::`; every code when left out
    pub code: Option<String>,
    #[command(flatten)]
    pub json: JsonArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Editors start it; docs/editors.md says how, for VS Code, Neovim and Helix. It speaks the Language
Server Protocol over standard input and output until the editor says to stop.")]
pub struct LspArgs {
    /// Standard input and output, which there is no other way than; some editors give it
    #[arg(long, hide = true)]
    pub stdio: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coec completions bash > ~/.local/share/bash-completion/completions/coec
  coec completions zsh > ~/.zfunc/_coec             with ~/.zfunc in fpath
  coec completions fish > ~/.config/fish/completions/coec.fish")]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// What `coec graph` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// A flowchart as text
    Mermaid,
    /// A picture
    Svg,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coec graph specs/quickstart.coe --out quickstart.svg    a picture for light and dark pages
  coec graph 'CoE-2(4/64)'                                Mermaid, to the output
  coec graph my.coe --set ffn.gate=frozen --format svg > frozen.svg

One box per block, with its share of the parameters and of the forward FLOPs at the model's
context. Layers of one kind are drawn once.")]
pub struct GraphArgs {
    /// A path of a spec or a `config.json`, `path#model`, `-` for standard input, or the paper's notation
    pub spec: String,
    /// What to draw; when left out, svg for an --out that ends in .svg, else mermaid
    #[arg(long, value_enum)]
    pub format: Option<GraphFormat>,
    /// Where to write, replacing a file that is there; to the output when left out
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub set: SetArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    /// Lines that are longer are broken where help is wrapped, and leave half lines behind.
    #[test]
    fn what_stands_behind_help_fits_a_hundred_columns() {
        for command in Cli::command().get_subcommands().chain([&Cli::command()]) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let long: Vec<&str> = help.lines().filter(|line| line.chars().count() > 100).collect();
            assert!(long.is_empty(), "{}: {long:#?}", command.get_name());
        }
    }
}
