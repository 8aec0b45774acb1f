//! `src/model.rs`: the model, top to bottom.

mod any_layer;
mod run;
mod spec;

use coec_ir::{Loop, Model, Stack};

use self::run::{Run, repeated};
use crate::{
    Link,
    distinct::Distinct,
    literal::{self, camel},
    plan::Plan,
    print::{Expr, WIDTH, import, lines},
};

/// Numbers of layers that a comment lists.
const MOST_LISTED: usize = 8;

/// Everything the file is written from.
pub(crate) struct Writer<'a> {
    model: &'a Model,
    plan: &'a Plan,
    /// One run for each kind of layer, or `None` where kinds alternate.
    runs: Option<Vec<Run>>,
    has_bias: bool,
}

impl<'a> Writer<'a> {
    pub fn new(model: &'a Model, plan: &'a Plan) -> Self {
        // Layers of several kinds that run again stand in one list, to be named by their numbers.
        let can_have_fields = model.layers.loops().is_empty() || plan.kinds.len() == 1;
        let runs = plan.runs().filter(|_| can_have_fields).map(|runs| {
            let mut first = 0;
            let run = |(kind, count): (usize, usize)| {
                first += count;
                let name = plan.kinds[kind].name.as_str();
                Run {
                    field: match count {
                        _ if name.is_empty() => "layers".into(),
                        1 => format!("{name}_layer"),
                        _ => format!("{name}_layers"),
                    },
                    layer: layer_name(plan, kind),
                    ffn: plan.kinds[kind].ffn,
                    first: first - count,
                    count,
                }
            };
            runs.into_iter().map(run).collect()
        });
        Self { model, plan, runs, has_bias: plan.distinct().any(|block| block.has_bias) }
    }

    /// The file, without its opening comment.
    pub fn file(&self, link: Option<&Link>) -> String {
        let mut out = self.opening();
        out.push('\n');
        out.push_str(&self.imports(link));
        out.push_str(&self.constants());
        for block in self.plan.distinct() {
            out.push_str(&literal(block, self.model));
        }
        out.push_str(&self.structs());
        out.push_str(&self.model_impl());
        if self.runs.is_none() {
            out.push_str(&self.any_layer_impl());
        }
        for kind in 0..self.plan.kinds.len() {
            out.push_str(&self.layer_impl(kind));
        }
        out
    }

    fn opening(&self) -> String {
        let Model { vocab, dim, layers, .. } = self.model;
        format!(
            "//! The model, top to bottom: what it is made of, then how it is made, then its forward pass.\n\
             //!\n\
             //! Shapes in comments: B batch, T tokens; the stream is {dim} wide, the vocabulary has {vocab}\n\
             //! tokens, and there {} {}.\n",
            if layers.len() == 1 { "is" } else { "are" },
            if layers.len() == 1 { "1 layer".into() } else { format!("{} layers", layers.len()) },
        )
    }

    fn imports(&self, link: Option<&Link>) -> String {
        let mut ir: Vec<String> = vec!["Param".into(), "Rms".into(), "Site".into(), "Tokens".into()];
        let mut nn: Vec<String> =
            ["Binding", "Bindings", "Cache", "Embedding", "Forward", "Head", "LoadError", "Maker", "Pass"]
                .map(String::from)
                .to_vec();
        nn.push("Source".into());
        nn.extend(self.has_bias.then(|| "Selections".into()));
        for block in self.plan.distinct() {
            ir.extend(block.literal.imports.iter().map(ToString::to_string));
            nn.push(block.home.module.into());
        }
        if !self.model.layers.loops().is_empty() {
            ir.push("Loop".into());
        }
        if self.runs.is_none() {
            // The kinds of layer say what each is in the spec.
            ir.extend(["Attention".into(), "Ffn".into(), "Layer".into()]);
        }
        let own = match link {
            None => import("crate", &[ir, nn].concat()),
            Some(_) => import("coec_ir", &ir) + &import("coec_nn", &nn),
        };
        format!(
            "use burn::module::Module;\n\
             use burn::optim::GradientsParams;\n\
             use burn::tensor::{{Device, Int, Tensor}};\n\
             {}{own}\n",
            if link.is_some() { "" } else { "\n" }
        )
    }

    fn constants(&self) -> String {
        let Model { vocab, dim, layers, norm, embedding, .. } = self.model;
        let loops = if layers.loops().is_empty() { String::new() } else { loops(layers) };
        let tokens = literal::literal(embedding).map_or_else(String::new, |tokens| tokens.value.line());
        let tokens = constant("pub const TOKENS: Tokens =", &format!("{tokens};"));
        format!(
            "/// Vocabulary V.\n\
             pub const VOCAB: usize = {vocab};\n\
             /// Width D of the stream.\n\
             pub const DIM: usize = {dim};\n\
             /// Layers.\n\
             pub const LAYERS: usize = {};\n\
             /// Every RMSNorm of the model.\n\
             pub const NORM: Rms = Rms {{ eps: {:?} }};\n\
             /// The token embedding, and how logits are made.\n\
             {tokens}\
             {loops}\
             \n",
            layers.len(),
            norm.eps
        )
    }

    fn structs(&self) -> String {
        let Model { vocab, dim, .. } = self.model;
        let head = if self.plan.has_head {
            format!("The final norm, and the output head `[{vocab}, {dim}]`.")
        } else {
            "The final norm; the embedding is the output head.".into()
        };
        let layers: String = match &self.runs {
            Some(runs) => runs.iter().map(Run::declared).collect(),
            None => "    /// In the order of [`ORDER`].\n    pub layers: Vec<AnyLayer>,\n".into(),
        };
        let mut out = format!(
            "/// The language model {}.\n\
             #[derive(Module, Debug)]\n\
             pub struct LanguageModel {{\n    \
                 /// `[{vocab}, {dim}]`.\n    \
                 pub embedding: Embedding,\n\
             {layers}    \
                 /// {head}\n    \
                 pub head: Head,\n    \
                 #[module(skip)]\n    \
                 bindings: Bindings,\n\
             }}\n\n",
            code(&self.model.name)
        );
        if self.runs.is_none() {
            out.push_str(&self.any_layer());
        }
        for (kind, layer) in self.plan.kinds.iter().enumerate() {
            let [attention, ffn] = [&self.plan.attention[layer.attention], &self.plan.ffn[layer.ffn]];
            out.push_str(&format!(
                "/// {}\n\
                 #[derive(Module, Debug)]\n\
                 pub struct {} {{\n    \
                     /// {}\n    \
                     pub {}: {},\n    \
                     /// {}\n    \
                     pub {}: {},\n\
                 }}\n\n",
                self.about_layer(kind),
                layer_name(self.plan, kind),
                attention.about,
                attention.home.field,
                attention.home.module,
                ffn.about,
                ffn.home.field,
                ffn.home.module
            ));
        }
        out
    }

    /// Which layers are of a kind, in a sentence.
    fn about_layer(&self, kind: usize) -> String {
        if self.plan.kinds.len() == 1 {
            return match self.plan.order.len() {
                1 => "The layer.".into(),
                count => format!("Each of the {count} layers."),
            };
        }
        let at: Vec<usize> =
            (0..self.plan.order.len()).filter(|&layer| self.plan.order[layer] == kind).collect();
        match at.as_slice() {
            [only] => format!("Layer {only}."),
            [first, .., last] if last - first + 1 == at.len() => format!("Layers {first} to {last}."),
            [others @ .., last] if at.len() <= MOST_LISTED => {
                let others: Vec<String> = others.iter().map(usize::to_string).collect();
                format!("Layers {} and {last}.", others.join(", "))
            }
            [first, ..] => format!("{} of the layers, the first of them layer {first}.", at.len()),
            [] => String::new(),
        }
    }

    fn model_impl(&self) -> String {
        let head = if self.plan.has_head { "Some(Site::HEAD)" } else { "None" };
        let (fields, making): (Vec<&str>, String) = match &self.runs {
            Some(runs) => {
                let last = self.plan.order.len();
                let making = runs.iter().map(|run| format!("        {}\n", run.making(last))).collect();
                (runs.iter().map(|run| run.field.as_str()).collect(), making)
            }
            None => {
                let making = "        let layers = ORDER.into_iter().enumerate();\n        \
                              let layers = layers.map(|(l, kind)| AnyLayer::new(&mut make, kind, l)).collect();\n";
                (vec!["layers"], making.into())
            }
        };
        let mut parts: Vec<&str> = vec!["embedding"];
        parts.extend(&fields);
        parts.push("head");
        let parts = format!("Self {{ {}, bindings: make.bindings() }}", parts.join(", "));
        let parts = if parts.len() + 8 <= WIDTH {
            parts
        } else {
            parts
                .replace("{ ", "{\n            ")
                .replace(", ", ",\n            ")
                .replace(" }", ",\n        }")
        };
        let passing: String = match &self.runs {
            _ if !self.model.layers.loops().is_empty() => run::passes(self.model.dim),
            Some(runs) => runs.iter().map(|run| run.passing(self.model.dim)).collect(),
            None => repeated("layers", self.model.dim),
        };
        let biases = if self.has_bias { self.update_biases() } else { String::new() };
        let slots = if self.model.layers.loops().is_empty() { "LAYERS" } else { "PASSES.len()" };
        let (dim, vocab) = (self.model.dim, self.model.vocab);
        format!(
            "impl LanguageModel {{
    /// The model on `device`, in f32.
    pub fn new(device: &Device, source: Source) -> Self {{
        let mut make = Maker::new(DIM, NORM, device, source);
        let embedding = Embedding::new(&mut make, Site::EMBEDDING, VOCAB, TOKENS);
{making}        let head = Head::new(&mut make, Site::FINAL_NORM, {head}, VOCAB);
        {parts}
    }}

    /// Logits and balance losses for `tokens` `[B, T]`.
    pub fn forward(&self, tokens: Tensor<2, Int>) -> Forward {{
        self.pass(tokens, None)
    }}

    /// Logits `[B, T, {vocab}]` for `tokens` `[B, T]` that follow those in `cache`.
    pub fn extend(&self, tokens: Tensor<2, Int>, cache: &mut Cache) -> Tensor<3> {{
        self.pass(tokens, Some(cache)).logits.tensor()
    }}

    fn pass(&self, tokens: Tensor<2, Int>, cache: Option<&mut Cache>) -> Forward {{
        let mut pass = Pass::new(&tokens, &self.embedding, cache);
        let mut h = self.embedding.forward(tokens); // [B, T, {dim}]
{passing}        let logits = self.head.forward(h, &self.embedding); // [B, T, {vocab}], not yet multiplied out
        pass.finish(logits)
    }}

    /// An empty generation cache.
    pub fn cache(&self) -> Cache {{
        Cache::new({slots})
    }}

    /// The device the model is on.
    pub fn device(&self) -> Device {{
        self.embedding.weight.val().device()
    }}
{biases}
    /// The names its parameters are saved under.
    pub fn bindings(&self) -> &[Binding] {{
        &self.bindings
    }}

    /// Every named tensor with its values.
    pub fn tensors(&self) -> Vec<(Param, Vec<f32>)> {{
        self.bindings.tensors(self)
    }}

    /// Every trained tensor with its gradient, zero where none flowed.
    pub fn gradients(&self, grads: &GradientsParams) -> Vec<(Param, Vec<f32>)> {{
        self.bindings.gradients(grads)
    }}

    /// Replaces every tensor by what `source` gives for its name.
    pub fn load(self, source: impl FnMut(&Param) -> Result<Vec<f32>, String>) -> Result<Self, LoadError> {{
        self.bindings.clone().load(self, source)
    }}

    /// The number of trained parameters.
    pub fn parameter_count(&self) -> u128 {{
        self.bindings.parameter_count(self)
    }}
}}
"
        )
    }

    /// The method that moves the selection biases.
    fn update_biases(&self) -> String {
        let updates: String = match &self.runs {
            Some(runs) => {
                let biased = runs.iter().filter(|run| self.plan.ffn[run.ffn].has_bias);
                biased
                    .map(|run| {
                        let field = self.plan.ffn[run.ffn].home.field;
                        match run.is_list() {
                            true => format!(
                                "        for layer in &mut self.{} {{\n            \
                                 layer.{field}.update_biases(selections);\n        }}\n",
                                run.field
                            ),
                            false => format!("        self.{}.{field}.update_biases(selections);\n", run.field),
                        }
                    })
                    .collect()
            }
            None => "        for layer in &mut self.layers {\n            layer.update_biases(selections);\n        }\n"
                .into(),
        };
        format!(
            "
    /// After an optimizer step, moves every selection bias by the `selections` of the step's batch.
    pub fn update_biases(mut self, selections: &[Selections]) -> Self {{
{updates}        self
    }}
"
        )
    }

    fn layer_impl(&self, kind: usize) -> String {
        let layer = &self.plan.kinds[kind];
        let [attention, ffn] = [&self.plan.attention[layer.attention], &self.plan.ffn[layer.ffn]];
        let dim = self.model.dim;
        format!(
            "
impl {} {{
    fn new(make: &mut Maker, layer: usize) -> Self {{
        Self {{
            {}: {}::new(make, &Site::attention(layer), &{}()),
            {}: {}::new(make, &Site::ffn(layer), &{}()),
        }}
    }}

    fn forward(&self, h: Tensor<3>, pass: &mut Pass) -> Tensor<3> {{
        let h = self.{}.forward(h, pass); // [B, T, {dim}]
        self.{}.forward(h, pass) // [B, T, {dim}]
    }}
}}
",
            layer_name(self.plan, kind),
            attention.home.field,
            attention.home.module,
            attention.name,
            ffn.home.field,
            ffn.home.module,
            ffn.name,
            attention.home.field,
            ffn.home.field
        )
    }

    pub fn types(&self) -> Vec<String> {
        let mut names = vec!["LanguageModel".to_string()];
        names.extend((0..self.plan.kinds.len()).map(|kind| layer_name(self.plan, kind)));
        if self.runs.is_none() {
            names.extend(["AnyLayer".into(), "Kind".into()]);
        }
        names
    }
}

/// The name of a layer's struct.
fn layer_name(plan: &Plan, kind: usize) -> String {
    match plan.kinds[kind].name.as_str() {
        "" => "DecoderLayer".into(),
        name => format!("{}Layer", camel(name)),
    }
}

/// A layer as the IR's literal, its sublayers by the functions that give them.
fn layer_literal(attention: &Distinct, ffn: &Distinct, path: &str) -> Expr {
    let block = |block: &Distinct| {
        Expr::Call(block.variant.clone(), vec![Expr::Plain(format!("{path}{}()", block.name))])
    };
    Expr::Struct("Layer".into(), vec![("attention", block(attention)), ("ffn", block(ffn))])
}

/// The function that gives a block's literal.
fn literal(block: &Distinct, model: &Model) -> String {
    let dim = model.dim;
    let tensors: String = block.tensors.iter().map(|line| format!("/// - {line}\n")).collect();
    let Expr::Struct(name, _) = &block.literal.value else { return String::new() };
    format!(
        "/// {}\n///\n/// From `[B, T, {dim}]` to `[B, T, {dim}]`, with the tensors\n///\n{tensors}\
         pub fn {}() -> {name} {{\n    {}\n}}\n\n",
        block.about,
        block.name,
        block.literal.value.print(4, 0, 0)
    )
}

/// A name in backticks.
fn code(name: &str) -> String {
    format!("`{name}`")
}

/// The layers that run again, and all of them in the order they run.
fn loops(layers: &Stack) -> String {
    let loops: Vec<_> = layers
        .loops()
        .iter()
        .map(|Loop { start, end, times }| format!("Loop {{ start: {start}, end: {end}, times: {times} }}"))
        .collect();
    let passes: Vec<_> = layers.passes().iter().map(usize::to_string).collect();
    format!(
        "/// Layers that run in order, and then again.\n\
         {}\
         /// The layers in the order they run.\n\
         {}",
        array("LOOPS", "Loop", &loops.len().to_string(), &loops),
        array("PASSES", "usize", &passes.len().to_string(), &passes)
    )
}

/// A constant list of `count` items.
fn array(name: &str, of: &str, count: &str, items: &[String]) -> String {
    let start = format!("pub const {name}: [{of}; {count}] =");
    let list = format!("[{}];", items.join(", "));
    if list.len() + 4 <= WIDTH {
        return constant(&start, &list);
    }
    // Structs stand below each other.
    match of {
        "Loop" => format!(
            "{start} [\n{}];\n",
            items.iter().map(|item| format!("    {item},\n")).collect::<String>()
        ),
        _ => format!("{start} [\n{}];\n", lines(items, 4)),
    }
}

/// A constant on one line, or on two.
fn constant(start: &str, value: &str) -> String {
    let is_short = start.len() + 1 + value.len() <= WIDTH;
    if is_short { format!("{start} {value}\n") } else { format!("{start}\n    {value}\n") }
}
