//! The files a generated crate carries: those that coec-ir, coec-kernels and coec-nn are compiled
//! from, embedded when this crate is compiled, so that a binary without a checkout has them too.
//!
//! What a model does not use is left out by whole files. The files that only declare others
//! (`lib.rs`, and `mod.rs` where there is a choice) are written anew, by [`ir`], [`kernels`]
//! and [`nn`].

use crate::print::export;

/// The blocks of a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Blocks {
    /// Multi-head attention.
    pub mha: bool,
    /// Latent attention.
    pub mla: bool,
    /// A chain or a mixture of experts.
    pub coe: bool,
    /// A dense MLP.
    pub dense: bool,
}

/// Which models carry a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    All,
    Mha,
    Mla,
    Coe,
    Dense,
}

/// A carried file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Carried {
    /// Its crate here, its folder there.
    pub room: Room,
    /// Its path, below `src` here and below the folder there.
    pub path: &'static str,
    /// Its text.
    pub text: &'static str,
    /// Which models carry it.
    pub models: For,
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
    ($($room:ident $folder:literal { $($models:ident: $($path:literal),*;)* })*) => {
        &[$($($(Carried {
            room: Room::$room,
            path: $path,
            text: include_str!(concat!("../../", $folder, "/src/", $path)),
            models: For::$models,
        },)*)*)*]
    };
}

/// Every file that some model carries.
pub(crate) const CARRIED: &[Carried] = carried! {
    Ir "coec-ir" {
        All: "block/act.rs", "block/rope.rs", "flops.rs", "model.rs", "params.rs", "site.rs";
        Mha: "block/mha.rs";
        Mla: "block/mla.rs";
        Coe: "balance.rs", "binomial.rs", "block/coe.rs", "block/router.rs";
        Dense: "block/dense.rs";
    }
    Kernels "coec-kernels" {
        All: "bridge.rs", "causal_softmax/composed.rs", "causal_softmax/cpu.rs", "causal_softmax/mod.rs",
            "cpu/flex.rs", "cpu/host.rs", "cpu/matmul.rs", "cpu/mod.rs", "cpu/ndarray.rs", "cpu/real.rs",
            "cpu/simd.rs", "dtypes.rs", "experts/activation.rs", "experts/capture.rs", "experts/composed.rs",
            "experts/cpu/activation.rs", "experts/cpu/backward.rs", "experts/cpu/forward.rs",
            "experts/cpu/mod.rs", "experts/cpu/routing.rs", "experts/mod.rs", "experts/pieces.rs",
            "experts/tensors.rs", "flops.rs", "rms_norm/composed.rs", "rms_norm/cpu.rs", "rms_norm/mod.rs",
            "rotate/composed.rs", "rotate/cpu.rs", "rotate/mod.rs", "select_top_k/composed.rs",
            "select_top_k/cpu.rs", "select_top_k/mod.rs", "tape.rs";
    }
    Nn "coec-nn" {
        All: "attention/dot_product.rs", "bindings.rs", "cache.rs", "counting.rs", "embedding.rs",
            "ffn/mlp.rs", "init.rs", "maker.rs", "norm.rs", "pass.rs", "positions.rs";
        Mha: "attention/multi_head.rs";
        Mla: "attention/latent.rs";
        Coe: "ffn/balance.rs", "ffn/bias.rs", "ffn/chain.rs", "ffn/router.rs";
        Dense: "ffn/feed_forward.rs";
    }
};

impl Blocks {
    /// Whether a model with these blocks carries what is marked so.
    pub fn need(self, models: For) -> bool {
        match models {
            For::All => true,
            For::Mha => self.mha,
            For::Mla => self.mla,
            For::Coe => self.coe,
            For::Dense => self.dense,
        }
    }

    /// The lines marked for these blocks.
    fn lines(self, lines: &[(For, &str)]) -> String {
        lines.iter().filter(|(models, _)| self.need(*models)).map(|(_, line)| format!("{line}\n")).collect()
    }
}

/// `src/ir/mod.rs`: declares what the model uses of coec-ir.
pub(crate) fn ir(blocks: Blocks) -> String {
    use For::*;
    let modules = blocks.lines(&[
        (Coe, "mod balance;"),
        (Coe, "mod binomial;"),
        (All, "mod block;"),
        (All, "mod flops;"),
        (All, "mod model;"),
        (All, "pub(crate) mod params;"),
        (All, "mod site;"),
    ]);
    let mut names = vec!["Act", "Attention", "Ffn", "Rope"];
    names.extend(blocks.coe.then_some(COE).into_iter().flatten());
    names.extend(blocks.dense.then_some("Dense"));
    names.extend(blocks.mha.then_some(MHA).into_iter().flatten());
    names.extend(blocks.mla.then_some("Mla"));
    let names: Vec<String> = names.into_iter().map(String::from).collect();
    let reexports = blocks
        .lines(&[(Coe, "pub use balance::Balance;"), (Coe, "pub use binomial::{binomial, binomials};")]);
    format!(
        "//! What the model is: the structs its spec is written in, and the names and shapes of its tensors.\n\
         //!\n\
         //! The other files of this folder are coec-ir's own; this one and `block/mod.rs` declare those that\n\
         //! the model uses.\n\
         \n\
         {modules}\n\
         {reexports}\
         {}\
         pub use flops::Flops;\n\
         pub use model::{{Layer, Model, Rms, Stack, Tokens}};\n\
         pub use params::{{Init, Param}};\n\
         pub use site::Site;\n",
        export("block", &names)
    )
}

const COE: [&str; 12] = [
    "Carry",
    "ChainNorm",
    "Coe",
    "Gate",
    "GroupScore",
    "Groups",
    "Output",
    "Residual",
    "Router",
    "Score",
    "SharedAt",
    "SharedGate",
];
const MHA: [&str; 2] = ["Mha", "QkNorm"];

/// `src/ir/block/mod.rs`: the blocks the model has, and what a layer is of them.
pub(crate) fn ir_blocks(blocks: Blocks) -> String {
    use For::*;
    let modules = blocks.lines(&[
        (All, "mod act;"),
        (Coe, "mod coe;"),
        (Dense, "mod dense;"),
        (Mha, "mod mha;"),
        (Mla, "mod mla;"),
        (All, "mod rope;"),
        (Coe, "mod router;"),
    ]);
    let reexports = blocks.lines(&[
        (All, "pub use act::Act;"),
        (Coe, "pub use coe::{Carry, ChainNorm, Coe, Gate, Output, Residual, SharedAt, SharedGate};"),
        (Dense, "pub use dense::Dense;"),
        (Mha, "pub use mha::{Mha, QkNorm};"),
        (Mla, "pub use mla::Mla;"),
        (All, "pub use rope::Rope;"),
        (Coe, "pub use router::{GroupScore, Groups, Router, Score};"),
    ]);
    let attention = blocks.lines(&[
        (Mha, "    /// Multi-head attention, grouped-query when `kv_heads < heads`.\n    Mha(Mha),"),
        (Mla, "    /// DeepSeek-V2's multi-head latent attention.\n    Mla(Mla),"),
    ]);
    let ffn = blocks.lines(&[
        (Coe, "    /// A chain of experts; one iteration of it is a mixture of experts.\n    Coe(Coe),"),
        (Dense, "    /// A plain gated MLP with the ordinary pre-norm residual.\n    Dense(Dense),"),
    ]);
    let derives = "#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]\n\
                   #[serde(rename_all = \"snake_case\")]\n";
    format!(
        "//! The blocks the model has: what each is, and its exact counts.\n\
         \n\
         {modules}\n\
         {reexports}\n\
         use serde::{{Deserialize, Serialize}};\n\
         \n\
         /// The attention sublayer of a layer.\n\
         {derives}pub enum Attention {{\n{attention}}}\n\
         \n\
         /// The feed-forward sublayer of a layer.\n\
         {derives}pub enum Ffn {{\n{ffn}}}\n"
    )
}

/// `src/kernels/mod.rs`: all of coec-kernels but what only training needs.
pub(crate) fn kernels() -> String {
    "//! The products at the heart of the model, forward and backward, on every backend.\n\
     //!\n\
     //! The other files of this folder are coec-kernels' own; this one declares them.\n\
     \n\
     pub(crate) mod bridge;\n\
     mod causal_softmax;\n\
     pub(crate) mod cpu;\n\
     pub(crate) mod dtypes;\n\
     mod experts;\n\
     pub mod flops;\n\
     mod rms_norm;\n\
     mod rotate;\n\
     mod select_top_k;\n\
     pub(crate) mod tape;\n\
     \n\
     pub use causal_softmax::causal_softmax;\n\
     pub use experts::{Activation, experts, mlp};\n\
     pub use rms_norm::rms_norm;\n\
     pub use rotate::{Pairs, rotate};\n\
     pub use select_top_k::select_top_k;\n"
        .into()
}

/// `src/nn/mod.rs`: the modules of the model's blocks.
pub(crate) fn nn(blocks: Blocks) -> String {
    use For::*;
    let attention = blocks.lines(&[
        (All, "    mod dot_product;"),
        (Mla, "    mod latent;"),
        (Mha, "    mod multi_head;"),
        (All, ""),
        (Mla, "    pub use latent::LatentAttention;"),
        (Mha, "    pub use multi_head::MultiHeadAttention;"),
    ]);
    let ffn = blocks.lines(&[
        (Coe, "    mod balance;"),
        (Coe, "    mod bias;"),
        (Coe, "    mod chain;"),
        (Dense, "    mod feed_forward;"),
        (All, "    mod mlp;"),
        (Coe, "    mod router;"),
        (All, ""),
        (Coe, "    pub use chain::Chain;"),
        (Dense, "    pub use feed_forward::FeedForward;"),
        (All, "    pub use mlp::Mlp;"),
    ]);
    let mut names: Vec<String> = Vec::new();
    names.extend(blocks.mla.then(|| "LatentAttention".into()));
    names.extend(blocks.mha.then(|| "MultiHeadAttention".into()));
    let attention_names = export("attention", &names);
    let mut names: Vec<String> = vec!["Mlp".into()];
    names.extend(blocks.coe.then(|| "Chain".into()));
    names.extend(blocks.dense.then(|| "FeedForward".into()));
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
         mod pass;\n\
         pub(crate) mod positions;\n\
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
         pub use embedding::{{Embedding, Head}};\n\
         {ffn_names}\
         pub use maker::{{Maker, Source}};\n\
         pub use norm::RmsNorm;\n\
         pub use pass::{{Forward, Load, Pass, cross_entropy}};\n"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::{Path, PathBuf};

    use super::*;

    /// Files that no generated crate has: the front end's side of the IR, the optimizer, what
    /// builds and checks a model in process, and the files that declare others.
    const STAYS: &[(Room, &[&str])] = &[
        (
            Room::Ir,
            &[
                "block/mod.rs",
                "budget.rs",
                "cost.rs",
                "diff",
                "figure.rs",
                "lib.rs",
                "quantity.rs",
                "tensors.rs",
                "text",
                "train.rs",
                "verify.rs",
                "walk.rs",
            ],
        ),
        (Room::Kernels, &["adamw", "lib.rs", "tests"]),
        (
            Room::Nn,
            &[
                "attention/mod.rs",
                "build.rs",
                "capture.rs",
                "ffn/mod.rs",
                "lib.rs",
                "model.rs",
                "reference.rs",
            ],
        ),
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

    /// The names after `pub use` and `pub mod` of a file.
    fn exported(text: &str) -> impl Iterator<Item = &str> {
        let items = text.split(';').flat_map(|item| {
            let item = item.trim().rsplit('\n').next().unwrap_or_default();
            let names = item.strip_prefix("pub use ").or(item.strip_prefix("pub mod "));
            names.unwrap_or_default().rsplit("::").next().unwrap_or_default().split(',')
        });
        items.map(|name| name.trim_matches(|c: char| "{} \n".contains(c))).filter(|name| !name.is_empty())
    }

    #[test]
    fn no_name_means_two_things_at_the_root() {
        let all = Blocks { mha: true, mla: true, coe: true, dense: true };
        let mut rooms: BTreeMap<&str, &str> = BTreeMap::new();
        let files = [("ir", ir(all)), ("kernels", kernels()), ("nn", nn(all))];
        for (room, text) in &files {
            let names: BTreeSet<&str> = exported(text).collect();
            assert!(names.len() > 5, "{room}: {names:?}");
            for name in names {
                assert_eq!(rooms.insert(name, room), None, "{name} is of two rooms");
            }
        }
        // Modules of the crate itself.
        for name in ["ir", "kernels", "model", "nn", "spec"] {
            assert!(!rooms.contains_key(name), "{name}");
        }
    }
}
