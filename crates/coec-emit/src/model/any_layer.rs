//! Layers of several kinds in any order: an enum of them, and the order they stand in.

use super::{Writer, array, layer_literal, layer_name};
use crate::{
    literal::camel,
    print::{Expr, WIDTH},
};

impl Writer<'_> {
    /// The enum of all kinds, and the order they stand in.
    pub(super) fn any_layer(&self) -> String {
        let names: Vec<_> = self.plan.kinds.iter().map(|kind| camel(&kind.name)).collect();
        let variants: String = (0..names.len())
            .map(|kind| {
                format!(
                    "    /// {}\n    {}({}),\n",
                    self.about_layer(kind),
                    names[kind],
                    layer_name(self.plan, kind)
                )
            })
            .collect();
        let kinds: String = (0..names.len())
            .map(|kind| format!("    /// See [`{}`].\n    {},\n", layer_name(self.plan, kind), names[kind]))
            .collect();
        let order: Vec<String> =
            self.plan.order.iter().map(|&kind| format!("Kind::{}", names[kind])).collect();
        let order = array("ORDER", "Kind", "LAYERS", &order);
        let arms: String = self
            .plan
            .kinds
            .iter()
            .zip(&names)
            .map(|(kind, name)| {
                let value = layer_literal(&self.plan.attention[kind.attention], &self.plan.ffn[kind.ffn], "");
                arm(&format!("Self::{name}"), &value)
            })
            .collect();
        format!(
            "/// A layer of any kind.\n\
             // One a layer: nothing is gained by a box.\n\
             #[allow(clippy::large_enum_variant)]\n\
             #[derive(Module, Debug)]\n\
             pub enum AnyLayer {{\n{variants}}}\n\
             \n\
             /// The kinds of layer.\n\
             #[derive(Debug, Clone, Copy, PartialEq, Eq)]\n\
             pub enum Kind {{\n{kinds}}}\n\
             \n\
             /// The kind of each layer.\n\
             {order}\n\
             impl Kind {{\n    \
                 /// What the spec says of such a layer.\n    \
                 pub fn spec(self) -> Layer {{\n        \
                     match self {{\n{arms}        }}\n    }}\n}}\n\n"
        )
    }

    /// How such a layer is made, and its forward pass.
    pub(super) fn any_layer_impl(&self) -> String {
        let names: Vec<_> = self.plan.kinds.iter().map(|kind| camel(&kind.name)).collect();
        let arms = |of: &dyn Fn(usize, &str) -> [String; 2]| -> String {
            let arms = names.iter().enumerate().map(|(kind, name)| of(kind, name));
            arms.map(|[pattern, value]| arm(&pattern, &Expr::Plain(value))).collect()
        };
        let new = arms(&|kind, name| {
            let layer = layer_name(self.plan, kind);
            [format!("Kind::{name}"), format!("Self::{name}({layer}::new(make, layer))")]
        });
        let forward = arms(&|_, name| [format!("Self::{name}(layer)"), "layer.forward(h, pass)".into()]);
        let biases = if self.has_bias {
            let updates = arms(&|kind, name| {
                let ffn = &self.plan.ffn[self.plan.kinds[kind].ffn];
                match ffn.has_bias {
                    true => [
                        format!("Self::{name}(layer)"),
                        format!("layer.{}.update_biases(selections)", ffn.home.field),
                    ],
                    false => [format!("Self::{name}(_)"), "{}".into()],
                }
            });
            format!(
                "
    fn update_biases(&mut self, selections: &[Selections]) {{
        match self {{
{updates}        }}
    }}
"
            )
        } else {
            String::new()
        };
        format!(
            "
impl AnyLayer {{
    fn new(make: &mut Maker, kind: Kind, layer: usize) -> Self {{
        match kind {{
{new}        }}
    }}

    fn forward(&self, h: Tensor<3>, pass: &mut Pass) -> Tensor<3> {{
        match self {{
{forward}        }}
    }}
{biases}}}
"
        )
    }
}

/// An arm of a match in a method. One that is too long for a line is a block.
fn arm(pattern: &str, value: &Expr) -> String {
    let line = value.line();
    let short = match line.as_str() {
        "{}" => format!("            {pattern} => {{}}\n"),
        _ => format!("            {pattern} => {line},\n"),
    };
    if short.len() <= WIDTH + 1 {
        return short;
    }
    format!("            {pattern} => {{\n                {}\n            }}\n", value.print(16, 0, 0))
}
