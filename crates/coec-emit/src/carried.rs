//! The files a generated crate carries: those that coec-ir, coec-kernels and coec-nn are compiled
//! from, embedded when this crate is compiled, so that a binary without a checkout has them too.
//!
//! What a model does not use is left out by whole files. The files that only declare others
//! (`lib.rs`, and `mod.rs` where there is a choice) are written anew, by [`ir`], [`kernels`]
//! and [`nn`].

use crate::print::export;

/// Where a block is at home in the crates.
#[derive(Debug)]
pub(crate) struct Home {
    /// Its word in the language.
    pub word: &'static str,
    /// The line of the enum in coec-ir that holds it, with its documentation.
    pub variant: &'static str,
    /// Files of coec-ir beside those of blocks.
    pub ir: &'static [&'static str],
    /// Files of `block` in coec-ir.
    pub block: &'static [&'static str],
    /// Files of coec-nn in the folder of its place.
    pub nn: &'static [&'static str],
    /// The module that computes it, which the last of these files exports.
    pub module: &'static str,
    /// The layer's field that holds it.
    pub field: &'static str,
    /// Which of a layer's places it takes.
    pub slot: Slot,
}

/// A layer's place for a sublayer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Attention,
    Ffn,
}

/// Every block.
const HOMES: &[Home] = &[
    Home {
        word: "mha",
        variant: "/// Multi-head attention, grouped-query when `kv_heads < heads`.\n    Mha(Mha),",
        ir: &[],
        block: &["mha"],
        nn: &["multi_head"],
        module: "MultiHeadAttention",
        field: "attention",
        slot: Slot::Attention,
    },
    Home {
        word: "mla",
        variant: "/// DeepSeek-V2's multi-head latent attention.\n    Mla(Mla),",
        ir: &[],
        block: &["mla"],
        nn: &["latent"],
        module: "LatentAttention",
        field: "attention",
        slot: Slot::Attention,
    },
    Home {
        word: "coe",
        variant: "/// A chain of experts; one iteration of it is a mixture of experts.\n    Coe(Coe),",
        ir: &["balance", "binomial"],
        block: &["coe", "router"],
        nn: &["balance", "bias", "router", "chain"],
        module: "Chain",
        field: "experts",
        slot: Slot::Ffn,
    },
    Home {
        word: "dense",
        variant: "/// A plain gated MLP with the ordinary pre-norm residual.\n    Dense(Dense),",
        ir: &[],
        block: &["dense"],
        nn: &["feed_forward"],
        module: "FeedForward",
        field: "mlp",
        slot: Slot::Ffn,
    },
];

/// Where the block of a word is at home.
pub(crate) fn home(word: &str) -> Option<&'static Home> {
    HOMES.iter().find(|home| home.word == word)
}

/// The homes of a model's blocks, each once, in the order of [`HOMES`].
#[derive(Debug)]
pub(crate) struct Uses(Vec<&'static Home>);

/// A carried file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Carried {
    /// Its crate here, its folder there.
    pub room: Room,
    /// Its path, below `src` here and below the folder there.
    pub path: &'static str,
    /// Its text.
    pub text: &'static str,
    /// The word of the block without which it is left out; empty where no model is without it.
    pub word: &'static str,
}

/// A crate that files come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Ir,
    Kernels,
    Nn,
}

impl Room {
    /// The folder in the generated crate's `src`.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Ir => "ir",
            Self::Kernels => "kernels",
            Self::Nn => "nn",
        }
    }
}

macro_rules! carried {
    ($($room:ident $folder:literal { $($word:literal: $($path:literal),*;)* })*) => {
        &[$($($(Carried {
            room: Room::$room,
            path: $path,
            text: include_str!(concat!("../../", $folder, "/src/", $path)),
            word: $word,
        },)*)*)*]
    };
}

/// Every file that some model carries.
pub(crate) const CARRIED: &[Carried] = carried! {
    Ir "coec-ir" {
        "": "block/act.rs", "block/rope.rs", "block/sublayer.rs", "block/words.rs", "flops.rs", "kept.rs", "model.rs", "params.rs", "site.rs";
        "mha": "block/mha.rs";
        "mla": "block/mla.rs";
        "coe": "balance.rs", "binomial.rs", "block/coe.rs", "block/router.rs";
        "dense": "block/dense.rs";
    }
    Kernels "coec-kernels" {
        "": "activation.rs", "add/cpu.rs", "add/mod.rs", "attention/blocks.rs", "attention/composed.rs",
            "attention/cpu/backward.rs", "attention/cpu/forward.rs", "attention/cpu/mod.rs",
            "attention/cube.rs", "attention/mod.rs", "attention/sinks.rs", "biases.rs", "bridge.rs",
            "cpu/bf16.rs", "cpu/flex.rs", "cpu/host.rs", "cpu/mod.rs", "cpu/ndarray.rs", "cpu/product/kernel.rs", "cpu/product/mod.rs",
            "cpu/product/neon.rs", "cpu/product/portable.rs", "cpu/product/scratch.rs",
            "cpu/product/shared.rs", "cpu/product/strips.rs", "cpu/product/tests.rs", "cpu/product/transpose.rs", "cpu/product/vector.rs",
            "cpu/product/view.rs", "cpu/product/x86.rs", "cpu/real.rs",
            "cpu/simd.rs", "cross_entropy/capture.rs", "cross_entropy/cpu.rs", "cross_entropy/cube.rs", "cross_entropy/mod.rs",
            "cube/activation.rs", "cube/launch.rs", "cube/mod.rs", "cube/numbers.rs", "cube/product/form.rs", "cube/product/kernel.rs",
            "cube/product/lines.rs", "cube/product/matrix_units.rs", "cube/product/mod.rs", "cube/route.rs", "cube/sums.rs", "cube/tile.rs",
            "cube/rows.rs", "dtypes.rs", "embed/cube.rs", "embed/mod.rs", "experts/capture.rs",
            "experts/cpu/activation.rs", "experts/cpu/backward.rs", "experts/cpu/biases.rs", "experts/cpu/forward.rs",
            "experts/cpu/mod.rs", "experts/cpu/routing.rs", "experts/cpu/weighing.rs", "experts/cube/biases.rs", "experts/cube/mod.rs", "experts/cube/rows.rs", "experts/mod.rs", "experts/pieces.rs",
            "experts/tensors.rs", "flops.rs", "linear/composed.rs", "linear/cpu.rs", "linear/cube.rs", "linear/mod.rs", "mlp/cube.rs", "mlp/mod.rs", "precision.rs", "recompute.rs", "rms_norm/composed.rs", "rms_norm/cpu.rs", "rms_norm/cube.rs", "rms_norm/mod.rs",
            "rotate/composed.rs", "rotate/cpu.rs", "rotate/cube.rs", "rotate/mod.rs", "rounding/cpu.rs", "rounding/cube.rs", "rounding/mod.rs", "select_top_k/composed.rs",
            "select_top_k/cpu.rs", "select_top_k/cube.rs", "select_top_k/mod.rs", "softmax/composed.rs", "softmax/cpu.rs", "softmax/cube.rs", "softmax/mod.rs", "tape.rs";
    }
    Nn "coec-nn" {
        "": "attention/dot_product.rs", "bindings.rs", "cache.rs", "counting.rs", "embedding.rs",
            "ffn/mlp.rs", "init.rs", "maker.rs", "norm.rs", "pass.rs", "positions.rs",
            "random.rs", "recompute.rs";
        "mha": "attention/multi_head.rs";
        "mla": "attention/latent.rs";
        "coe": "ffn/balance.rs", "ffn/bias.rs", "ffn/chain.rs", "ffn/router.rs";
        "dense": "ffn/feed_forward.rs";
    }
};

impl Uses {
    /// Those of some sublayers.
    pub fn of<'a>(homes: impl Iterator<Item = &'a Home>) -> Self {
        let words: Vec<&str> = homes.map(|home| home.word).collect();
        Self(HOMES.iter().filter(|home| words.contains(&home.word)).collect())
    }

    /// Whether a model carries a file.
    pub fn need(&self, file: &Carried) -> bool {
        file.word.is_empty() || self.0.iter().any(|home| home.word == file.word)
    }

    /// Whether there are experts.
    pub fn has_experts(&self) -> bool {
        self.0.iter().any(|home| home.word == "coe")
    }

    /// Those in one place of a layer.
    fn at(&self, slot: Slot) -> impl Iterator<Item = &'static Home> {
        self.0.iter().copied().filter(move |home| home.slot == slot)
    }
}

/// `mod a;` for each, sorted, with `indent` in front.
fn modules<'a>(names: impl IntoIterator<Item = &'a str>, indent: &str) -> String {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_unstable();
    names.into_iter().map(|name| format!("{indent}mod {name};\n")).collect()
}

/// `pub use a::*;` for each, sorted.
fn exports<'a>(files: impl IntoIterator<Item = &'a str>) -> String {
    let mut files: Vec<&str> = files.into_iter().collect();
    files.sort_unstable();
    // What `params` has for its own crate would be two things at the root.
    let names = |file: &str| if file == "params" { "{Init, Param}" } else { "*" };
    files.into_iter().map(|file| format!("pub use {file}::{};\n", names(file))).collect()
}

/// Files of `block` that every model has, and that export something.
const BLOCK: &[&str] = &["act", "rope", "sublayer"];

/// `src/ir/mod.rs`: declares what the model uses of coec-ir.
pub(crate) fn ir(uses: &Uses) -> String {
    let own = || uses.0.iter().flat_map(|home| home.ir).copied();
    let whole = || own().chain(["block", "flops", "kept", "model", "params", "site"]);
    let mods = modules(whole(), "").replace("mod params;", "pub(crate) mod params;");
    format!(
        "//! What the model is: the structs its spec is written in, and the names and shapes of its tensors.\n\
         //!\n\
         //! The other files of this folder are coec-ir's own; this one and `block/mod.rs` declare those that\n\
         //! the model uses.\n\
         \n\
         {mods}\n\
         {}",
        exports(whole())
    )
}

/// `src/ir/block/mod.rs`: the blocks the model has, and what a layer is of them.
pub(crate) fn ir_blocks(uses: &Uses) -> String {
    let files = || uses.0.iter().flat_map(|home| home.block).chain(BLOCK).copied();
    let variants =
        |slot: Slot| uses.at(slot).map(|home| format!("    {}\n", home.variant)).collect::<String>();
    let derives = "#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]\n\
                   #[serde(rename_all = \"snake_case\")]\n";
    format!(
        "//! The blocks the model has: what each is, and its exact counts.\n\
         \n\
         {}\n\
         {}\n\
         use serde::{{Deserialize, Serialize}};\n\
         \n\
         /// The attention sublayer of a layer.\n\
         {derives}pub enum Attention {{\n{}}}\n\
         \n\
         /// The feed-forward sublayer of a layer.\n\
         {derives}pub enum Ffn {{\n{}}}\n",
        modules(files().chain(["words"]), ""),
        exports(files()),
        variants(Slot::Attention),
        variants(Slot::Ffn),
    )
}

/// `src/kernels/mod.rs`: all of coec-kernels but what only training needs.
pub(crate) fn kernels() -> String {
    "//! The products at the heart of the model, forward and backward, on every backend.\n\
     //!\n\
     //! The other files of this folder are coec-kernels' own; this one declares them.\n\
     \n\
     mod activation;\n\
     mod add;\n\
     mod attention;\n\
     pub(crate) mod biases;\n\
     pub(crate) mod bridge;\n\
     pub(crate) mod cpu;\n\
     mod cross_entropy;\n\
     #[cfg(feature = \"cube\")]\n\
     pub(crate) mod cube;\n\
     pub(crate) mod dtypes;\n\
     mod embed;\n\
     pub(crate) mod experts;\n\
     pub mod flops;\n\
     mod linear;\n\
     mod mlp;\n\
     mod precision;\n\
     mod recompute;\n\
     mod rms_norm;\n\
     mod rotate;\n\
     mod rounding;\n\
     mod select_top_k;\n\
     mod softmax;\n\
     pub(crate) mod tape;\n\
     \n\
     pub use activation::Activation;\n\
     pub use add::add;\n\
     pub use attention::{Mixing, attention};\n\
     pub use biases::Biases;\n\
     pub use cross_entropy::{head_cross_entropy, head_losses};\n\
     pub use embed::embed;\n\
     pub use experts::experts;\n\
     pub use linear::linear;\n\
     pub use mlp::mlp;\n\
     pub use precision::Precision;\n\
     pub use recompute::{Segment, recomputed};\n\
     pub use rms_norm::rms_norm;\n\
     pub use rotate::{Pairing, rotate};\n\
     pub use rounding::{rounded, with_rounded_gradient};\n\
     pub use select_top_k::select_top_k;\n\
     pub use softmax::softmax;\n"
        .into()
}

/// `src/nn/mod.rs`: the modules of the model's blocks.
pub(crate) fn nn(uses: &Uses) -> String {
    // A folder of coec-nn as a module in place: its files, and what they export.
    let folder = |slot: Slot, files: &[&'static str], names: &[(&'static str, &'static str)]| {
        let own = uses.at(slot).flat_map(|home| home.nn).copied();
        let mut named: Vec<(&str, &str)> = names.to_vec();
        named.extend(uses.at(slot).filter_map(|home| Some((*home.nn.last()?, home.module))));
        named.sort_unstable();
        let exported: String =
            named.iter().map(|(file, name)| format!("    pub use {file}::{name};\n")).collect();
        let names: Vec<String> = named.iter().map(|(_, name)| (*name).to_string()).collect();
        (format!("{}\n{exported}", modules(files.iter().copied().chain(own), "    ")), names)
    };
    let (attention, names) = folder(Slot::Attention, &["dot_product"], &[]);
    let attention_names = export("attention", &names);
    let (ffn, names) = folder(Slot::Ffn, &["mlp"], &[("mlp", "Mlp")]);
    let ffn_names = export("ffn", &names);
    format!(
        "//! The mathematics: Burn modules that build themselves from the structs of the spec.\n\
         //!\n\
         //! The other files of this folder are coec-nn's own; this one declares those that the model uses.\n\
         //! Shapes in comments: B batch, T tokens, N = B*T, D width, H heads, E experts, K selected,\n\
         //! F expert width, C iterations, V vocabulary.\n\
         \n\
         mod bindings;\n\
         mod cache;\n\
         pub mod counting;\n\
         mod embedding;\n\
         pub(crate) mod init;\n\
         pub(crate) mod maker;\n\
         mod norm;\n\
         pub(crate) mod pass;\n\
         pub(crate) mod positions;\n\
         pub mod random;\n\
         mod recompute;\n\
         \n\
         /// The attention sublayers.\n\
         mod attention {{\n{attention}}}\n\
         \n\
         /// The feed-forward sublayers.\n\
         mod ffn {{\n{ffn}}}\n\
         \n\
         {attention_names}\
         pub use bindings::{{Binding, Bindings, LoadError}};\n\
         pub use cache::Cache;\n\
         pub use embedding::{{Embedding, Head, Logits}};\n\
         {ffn_names}\
         pub use maker::{{Maker, Source}};\n\
         pub use norm::RmsNorm;\n\
         pub use pass::{{Forward, Load, Pass, Selections, cross_entropy}};\n\
         pub use recompute::recompute;\n"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::{Path, PathBuf};

    use coec_ir::table::Tabled;

    use super::*;

    /// Files that no generated crate has: the front end's side of the IR, the optimizer, what
    /// builds and checks a model in process, and the files that declare others.
    const STAYS: &[(Room, &[&str])] = &[
        (
            Room::Ir,
            &[
                "block/mod.rs",
                "bounds.rs",
                "budget.rs",
                "check.rs",
                "cost.rs",
                "diff",
                "figure.rs",
                "lib.rs",
                "memory.rs",
                "quantity.rs",
                "ranks.rs",
                "recompute.rs",
                "shown.rs",
                "table",
                "tensors.rs",
                "text",
                "train.rs",
                "verify.rs",
                "violation.rs",
                "walk.rs",
            ],
        ),
        (Room::Kernels, &["adamw", "lib.rs", "sum_of_squares", "tests"]),
        (Room::Nn, &["attention/mod.rs", "build.rs", "capture.rs", "ffn/mod.rs", "lib.rs", "model.rs"]),
    ];

    fn found(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { found(&path, files) } else { files.push(path) }
        }
    }

    #[test]
    fn every_file_is_carried_or_known_to_stay() {
        for (room, stays) in STAYS {
            let source = format!("{}/../coec-{}/src", env!("CARGO_MANIFEST_DIR"), room.folder());
            let mut files = Vec::new();
            found(Path::new(&source), &mut files);
            for file in files {
                let path = file.strip_prefix(&source).unwrap();
                let stays = stays.iter().any(|stay| path.starts_with(stay));
                let carried = CARRIED.iter().any(|file| file.room == *room && Path::new(file.path) == path);
                assert!(stays != carried, "{}: say in this file who carries it", file.display());
            }
        }
    }

    #[test]
    fn every_block_has_a_home() {
        for table in coec_ir::Attention::TABLES.iter().chain(coec_ir::Ffn::TABLES) {
            // `moe` is read as `coe`, which is what crates are written of.
            assert_eq!(home(table.word).is_none(), table.word == "moe", "{}", table.word);
        }
    }

    /// The names after `pub use` and `pub mod` of a file.
    fn exported(text: &str) -> impl Iterator<Item = &str> {
        let items = text.split(';').flat_map(|item| {
            let item = item.trim().rsplit('\n').next().unwrap_or_default();
            let names = item.strip_prefix("pub use ").or(item.strip_prefix("pub mod "));
            names.unwrap_or_default().rsplit("::").next().unwrap_or_default().split(',')
        });
        items.map(|name| name.trim_matches(|c: char| "{} \n".contains(c))).filter(|name| !name.is_empty())
    }

    /// What the files of coec-ir that are carried say in public.
    fn said<'a>() -> impl Iterator<Item = &'a str> {
        let lines = CARRIED.iter().filter(|file| file.room == Room::Ir).flat_map(|file| file.text.lines());
        let item = |line: &'static str| {
            let (kind, rest) = line.strip_prefix("pub ")?.split_once(' ')?;
            let is_item = ["fn", "struct", "enum", "const", "trait", "type"].contains(&kind);
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
            is_item.then(|| &rest[..end])
        };
        lines.filter_map(item)
    }

    #[test]
    fn no_name_means_two_things_at_the_root() {
        let all = Uses(HOMES.iter().collect());
        let mut rooms: BTreeMap<String, &str> = BTreeMap::new();
        let files = [("ir", ir(&all)), ("kernels", kernels()), ("nn", nn(&all))];
        for (room, text) in &files {
            let written = exported(text).filter(|name| *name != "*");
            let said = said().filter(|_| *room == "ir");
            let names: BTreeSet<String> = written.chain(said).map(str::to_owned).collect();
            assert!(names.len() > 5, "{room}: {names:?}");
            for name in names {
                assert_eq!(rooms.insert(name.clone(), room), None, "{name} is of two rooms");
            }
        }
        // Modules of the crate itself.
        for name in ["ir", "kernels", "model", "nn", "spec"] {
            assert!(!rooms.contains_key(name), "{name}");
        }
    }
}
