//! The arguments of commands that run a model.

use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;
use coec_train::device::guarded;

use super::{JsonArgs, PrecisionArg, SetArgs};
use crate::{
    backend::Backend,
    failure::{Done, Failure},
    max_time::MaxTime,
    ranks,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coec train
  coec train my.coe --data 'texts/*.txt' --set train.steps=2000
  coec train my.coe --max-time 3h55m --set 'train.save=minutes(5)'    in a job of four hours
  coec train --resume runs/quickstart-1
  coec train --resume runs/quickstart-1 --set train.steps=1000       a finished run, made longer
  coec train --tensorboard && tensorboard --logdir runs              curves in a browser
  mpiexec -n 4 coec train my.coe                                     on four ranks (feature mpi)

In a terminal a picture of the run moves below its lines; --plain, a pipe, or TERM=dumb gives
lines alone.

A run is committed while it goes on, by default every ten minutes; killed anywhere, it goes on
from its last commit and ends as if it had not been. SIGINT, SIGTERM, SIGHUP and SIGUSR1 finish
the step, save, and exit with 128 + signal; a second one ends at once.")]
pub struct TrainArgs {
    /// A path of a spec or a `config.json`, `path#model`, `-` for standard input, or the paper's notation; the
    /// built-in quickstart when left out. With --resume, a run's directory
    pub spec: Option<String>,
    #[command(flatten)]
    pub at: DeviceArgs,
    /// Files in place of the spec's data: text or JSON Lines, found out by what stands in them, plain or
    /// packed by gzip or zstd; a path or glob, may be repeated. With --resume, where the run's data is now
    #[arg(long, value_name = "PATH")]
    pub data: Vec<String>,
    /// Weights to start from, safetensors, in place of fresh ones, and the tokenizer they were trained
    /// with: the tokenizer.json beside them or of the run they lie in
    #[arg(long, value_name = "W", conflicts_with = "resume")]
    pub weights: Option<PathBuf>,
    /// The run's directory; runs/NAME-N when left out
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with a run: `--resume RUN`, or `--resume --out RUN`
    #[arg(long)]
    pub resume: bool,
    /// End within this time, saved, as SIGTERM would: seconds, `90m`, `3h55m`, `2d`, or `HH:MM:SS` with
    /// days in front as `D-`
    #[arg(long, value_name = "TIME", value_parser = MaxTime::parse)]
    pub max_time: Option<MaxTime>,
    /// Lines in place of the picture that a terminal shows
    #[arg(long)]
    pub plain: bool,
    /// Write event files for TensorBoard, in the folder `tensorboard` of the run. A run that has some goes on
    /// with them
    #[arg(long)]
    pub tensorboard: bool,
    #[command(flatten)]
    pub set: SetArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// What `compare` and `sweep` share: how their runs are trained.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// How many runs go on side by side, sharing the threads
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=256))]
    pub jobs: u64,
    #[command(flatten)]
    pub at: DeviceArgs,
    /// Files in place of the data of specs, as of `coec train`; may be repeated
    #[arg(long, value_name = "PATH")]
    pub data: Vec<String>,
    #[command(flatten)]
    pub set: SetArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each spec is trained with each seed: the same data, order and schedule, each run an ordinary run
directory below DIR. Before that the arms are held to each other: those that do not cost the same
are refused, with exit code 1. Killed or stopped anywhere, the same command goes on; with more
--seeds it adds to what is there.

The end is the validation loss of every arm, the differences seed by seed with Student's 95%
interval, at equal steps, tokens, FLOPs and wall time, and a sentence: established (the first
arm's loss is lower), not established, or reversed. DIR/compare.json has it all, and `coec report
DIR` draws it.

Examples:
  coec compare specs/fair/chain.coe specs/fair/moe.coe --seeds 3 --set train.steps=60
  coec compare a.coe b.coe --tune lr=1e-3,2e-3,4e-3      each arm with its own best learning rate
  coec compare a.coe b.coe --set train.flops=1e15        equal compute for arms of different cost
  coec compare a.coe b.coe --fair flops.forward=1% --fair params.total=5% --check")]
pub struct CompareArgs {
    /// The arms, two or more: paths of specs or of `config.json`s, `path#model`, `-` for standard input, or the
    /// paper's notation
    #[arg(required = true, value_name = "SPEC")]
    pub specs: Vec<String>,
    /// How many seeds each arm is trained with: the spec's own and those behind it
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub seeds: u64,
    /// A figure that all arms must share, and how far they may be apart; may be repeated [default:
    /// flops.forward=1%]
    #[arg(long, value_name = "FIGURE=P%")]
    pub fair: Vec<String>,
    /// Compare arms that do not cost the same, labelled everywhere as that
    #[arg(long)]
    pub force: bool,
    /// Say whether the arms cost the same, and train nothing
    #[arg(long)]
    pub check: bool,
    /// Find a number of the optimizer for each arm before the seeds, by validation with a seed of its own
    #[arg(long, value_name = "FIELD=V,V,...")]
    pub tune: Option<String>,
    #[command(flatten)]
    pub runs: RunsArgs,
    /// The comparison's directory; compares/A-B when left out
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub json: JsonArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The block goes through values of fields, what follows from them, and fields that are solved for:
  sweep {
      ffn.k = [2, 4, 8] with ffn.iter = 8 / ffn.k
      train.optimizer.lr = [1e-3, 2e-3]
      seeds = 3
      fit ffn.hidden under flops.forward == flops.forward(\"moe.coe\") +- 1%
  }
Every axis multiplies the runs. A row that is no model, that nothing can be solved for, or that
keeps no budget of the spec is a row that says so; so is one that fails. Stopped anywhere, the
same command goes on.

Examples:
  coec sweep my.coe --check            the rows with their figures, and nothing trained
  coec sweep my.coe --out sweeps/k --jobs 2")]
pub struct SweepArgs {
    /// A spec with a sweep block: a path, `path#model`, or `-` for standard input
    pub spec: String,
    /// Print the rows, and train nothing
    #[arg(long)]
    pub check: bool,
    #[command(flatten)]
    pub runs: RunsArgs,
    /// The sweep's directory; sweeps/NAME when left out
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub json: JsonArgs,
}

impl SweepArgs {
    pub fn json(&self) -> bool {
        self.json.json
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coec report runs/quickstart-1                         writes report.html
  coec report runs/chain-* runs/moe-* --out pair.html   seeds of one spec become one line
  coec report compared --out compared.html              what coec compare left in compared/

The page loads nothing and runs nothing: it can be sent, printed, and read without a network. Runs
that go on, or were made by an earlier version, are reported as far as they have records; the page
says what they lack.")]
pub struct ReportArgs {
    /// Directories of runs, or of comparisons
    #[arg(required = true, value_name = "RUN|COMPARE")]
    pub runs: Vec<PathBuf>,
    /// Where to write, replacing a file that is there
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    pub out: PathBuf,
    #[command(flatten)]
    pub json: JsonArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coec watch runs/quickstart-1                 in another terminal, while it trains
  coec watch runs/quickstart-1 | tee log       lines as they come, until the run ends
  coec watch runs/quickstart-1 --once          the picture as it is now, also in a pipe
  coec watch runs/quickstart-1 --json          the same for programs

Losses, speed against the peak, the load of each expert, the budgets, and how long it will take,
read from the run's files while another process writes them; nothing is written or locked. q or
Ctrl-C ends it, the arrows scroll through the experts.")]
pub struct WatchArgs {
    /// A run's directory
    pub run: PathBuf,
    /// Show it as it is now, once
    #[arg(long)]
    pub once: bool,
    /// Wait for a run that has not begun, and in a pipe for one that stopped to go on
    #[arg(long)]
    pub wait: bool,
    #[command(flatten)]
    pub json: JsonArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coec eval runs/quickstart-1 --data 'tests/*.txt'
  coec eval imported --data gsm8k/test.jsonl --json

All of the text is measured, nothing is held out. It is cut into sequences of the training's
context, one behind the other, and each token but the first is predicted once, from those before
it in its sequence. Documents have a separator between them; a file of plain text is one document.")]
pub struct EvalArgs {
    /// A run's directory, or an import's
    pub run: PathBuf,
    /// Text or JSON Lines, found out by what stands in them, put into the run's template if it has one; a
    /// path or glob, may be repeated
    #[arg(long, value_name = "PATH", required = true)]
    pub data: Vec<String>,
    /// Tokens a sequence; the training's when left out
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=16_777_216))]
    pub context: Option<u64>,
    #[command(flatten)]
    pub at: DeviceArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coec generate runs/quickstart-1 --prompt 'Tom has 5 pens.' --temperature 0
  coec generate imported --prompt '-5 + 3 =' --stop ';' --json

Prompt and continuation are printed as the tokenizer decodes them together. The text ends where
the model ends it: with a token that the tokenizer's settings, or the model's, name as an end.")]
pub struct GenerateArgs {
    /// A run's directory, or an import's
    pub run: PathBuf,
    /// Text to continue
    #[arg(long, allow_hyphen_values = true)]
    pub prompt: String,
    /// End before this text; may be repeated
    #[arg(long = "stop", value_name = "TEXT", allow_hyphen_values = true,
          value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub stops: Vec<String>,
    /// Most tokens to add
    #[arg(long, default_value_t = 200)]
    pub tokens: usize,
    /// 0 always takes the likeliest token
    #[arg(long, default_value_t = 0.7, allow_negative_numbers = true)]
    pub temperature: f64,
    /// Draw from the likeliest tokens that make up this share
    #[arg(long, default_value_t = 0.95, allow_negative_numbers = true)]
    pub top_p: f64,
    /// Seed of the draws
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// What is multiplied: bf16 rounds factors, and sums in f32
    #[arg(long, value_enum, default_value_t = PrecisionArg::F32)]
    pub precision: PrecisionArg,
    #[command(flatten)]
    pub at: DeviceArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
T holds `tokens` [B, L] and optionally `targets` [B, L]; O receives `logits`, with targets `loss`
and `aux_loss`, and with --grads `grad.NAME` of loss + aux_loss for every trained parameter.")]
pub struct ForwardArgs {
    /// A path of a spec or a `config.json`, `path#model`, `-` for standard input, or the paper's notation
    pub spec: String,
    /// The weights, safetensors
    #[arg(long, value_name = "W")]
    pub weights: PathBuf,
    /// The tokens, safetensors
    #[arg(long, value_name = "T")]
    pub tokens: PathBuf,
    /// Where to write the results, safetensors
    #[arg(short, long, value_name = "O")]
    pub out: PathBuf,
    /// Write gradients too
    #[arg(long)]
    pub grads: bool,
    /// What is multiplied: bf16 rounds factors, and sums in f32
    #[arg(long, value_enum, default_value_t = PrecisionArg::F32)]
    pub precision: PrecisionArg,
    #[command(flatten)]
    pub at: DeviceArgs,
    #[command(flatten)]
    pub set: SetArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coec devices
  coec devices --check
  coec devices --examine --backend cuda

A check runs every kernel and a small model, forward and backward, on each GPU found and on the CPU,
and names the first operation in which they part. `coec train` does it before the first step.")]
pub struct DevicesArgs {
    /// Try every GPU found: does it compute what the CPU computes?
    #[arg(long)]
    pub check: bool,
    /// Examine one GPU, for minutes: agreement with the CPU, determinism, resumption, memory, speed
    #[arg(long, conflicts_with = "check", requires = "backend")]
    pub examine: bool,
    /// Of which backend
    #[arg(long, value_enum, requires = "examine")]
    pub backend: Option<Backend>,
    /// Which of its devices: its number in `coec devices`
    #[arg(long, value_name = "N", default_value_t = 0, requires = "examine")]
    pub device: usize,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// Where a command runs a model.
#[derive(Debug, Clone, Copy, Args)]
pub struct DeviceArgs {
    /// Where to run
    #[arg(long, value_enum, default_value_t = Backend::Cpu)]
    pub backend: Backend,
    /// Which of the backend's devices: its number in `coec devices`. Left out, the first; of several ranks on a
    /// machine each takes one, in turn
    #[arg(long, value_name = "N")]
    pub device: Option<usize>,
}

impl DeviceArgs {
    /// The device, or what is missing.
    pub fn open(self) -> Result<Device, Failure> {
        self.backend.device(self.number())
    }

    /// The number of the device.
    pub fn number(self) -> usize {
        match (self.device, ranks::on_this_machine()) {
            (Some(number), _) => number,
            (None, 0) => 0,
            (None, rank) => rank % self.backend.count().max(1),
        }
    }

    /// What a command does with the device. A GPU's runtime says by a panic that it failed, on this thread or on
    /// one of its own; here that is an error, and nothing else is heard of it.
    pub fn guard(self, command: impl FnOnce() -> Result<Done, Failure>) -> Result<Done, Failure> {
        if self.backend.reference().is_none() {
            return command();
        }
        let heard = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let done = guarded(command);
        std::panic::set_hook(heard);
        done.unwrap_or_else(|error| Err(Failure::environment(error.code(), error.to_string(), error.help())))
    }
}

impl TrainArgs {
    pub fn json(&self) -> bool {
        self.json.json
    }
}

impl CompareArgs {
    pub fn json(&self) -> bool {
        self.json.json
    }
}

impl ReportArgs {
    pub fn json(&self) -> bool {
        self.json.json
    }
}

impl WatchArgs {
    pub fn json(&self) -> bool {
        self.json.json
    }
}

impl EvalArgs {
    pub fn json(&self) -> bool {
        self.json.json
    }
}

impl GenerateArgs {
    pub fn json(&self) -> bool {
        self.json.json
    }
}

impl ForwardArgs {
    pub fn json(&self) -> bool {
        self.json.json
    }
}
