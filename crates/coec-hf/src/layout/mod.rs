//! How a family's folders name the tensors of a model, and which of them they store as one.

mod joined;
mod view;

use coec_ir::Ffn;
use serde::{Deserialize, Serialize};

pub(crate) use joined::{Joined, Member, Rows};
pub use view::{Axis, View};

/// One of the two ways in which folders of a family hold their tensors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// As they are published, and as `save_pretrained` of transformers writes them.
    #[default]
    Stored,
    /// As transformers 5 holds them in memory, with the experts of a layer as one tensor, and as it writes
    /// them with `save_original_format=False`.
    Fused,
}

/// The names of a layout, and the tensors that are joined.
#[derive(Debug)]
pub(crate) struct Names {
    /// Of tensors outside the layers, the model's name and the folder's, where they differ.
    pub outside: &'static [(&'static str, &'static str)],
    /// The folder's name of a tensor within a layer; both without `model.layers.N.`.
    pub inside: fn(&str, &Ffn) -> String,
    /// Those that are joined have no other name.
    pub joined: &'static [Joined],
}

impl Names {
    /// The names of the model.
    pub const SAME: Self = Self { outside: &[], inside: same, joined: &[] };

    /// The names of the model, but for experts, which are fused.
    pub const FUSED: Self = Self { joined: EXPERTS, ..Self::SAME };
}

/// The name that a tensor has on both sides.
fn same(name: &str, _: &Ffn) -> String {
    name.into()
}

/// The first two matrices of every expert.
pub(crate) const GATE_UP: &[&str] = &["mlp.experts.*.gate_proj.weight", "mlp.experts.*.up_proj.weight"];
/// The last matrix of every expert.
pub(crate) const DOWN: &[&str] = &["mlp.experts.*.down_proj.weight"];

/// The experts of a layer as transformers 5 holds them in memory.
pub(crate) const EXPERTS: &[Joined] =
    &[Joined::new("mlp.experts.gate_up_proj", GATE_UP), Joined::new("mlp.experts.down_proj", DOWN)];
