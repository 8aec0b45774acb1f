//! The picture as Mermaid.

use std::fmt::Write as _;

use coec_ir::{ChainNorm, Coe, Ffn, Gate, Joined, Model, Output, Verified};

use crate::plan::{Kind, Plan, Share};
use crate::words::{self, Words};

/// The model as a Mermaid flowchart, the same text for the same model.
///
/// Thick lines are the residual stream, dotted ones what is kept and added again.
pub fn mermaid(model: &Verified<Model>) -> String {
    let plan = Plan::of(model);
    let mut chart = Chart { out: String::from("flowchart TD\n"), depth: 1, total: plan.total };
    chart.line(&format!("accTitle: The model {}", model.name));
    chart.line(&format!("accDescr: {}", words::model(model, plan.total)));
    chart.block("embedding", &words::embedding(model, plan.tied), Some(plan.embedding));
    let mut stream = String::from("embedding");
    for (i, kind) in plan.kinds.iter().enumerate() {
        stream = chart.kind(model, kind, &format!("k{i}"), &stream);
    }
    chart.block("head", &words::head(model, plan.tied), Some(plan.head));
    chart.line(&format!("{stream} ==> head"));
    chart.out
}

/// A chart that grows downwards.
struct Chart {
    out: String,
    depth: usize,
    total: Share,
}

impl Chart {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{:indent$}{text}", "", indent = 4 * self.depth);
    }

    fn open(&mut self, id: &str, lines: &[String]) {
        self.line(&format!("subgraph {id} [\"{}\"]", joined(lines)));
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.line("end");
    }

    /// A box with a title, details, and what it takes.
    fn block(&mut self, id: &str, words: &Words, share: Option<Share>) {
        let mut lines = vec![words.title.clone()];
        lines.extend(words.details.iter().cloned());
        lines.extend(share.map(|share| words::shares(share, self.total)));
        self.line(&format!("{id}[\"{}\"]", joined(&lines)));
    }

    /// A small circle: an operator or a state.
    fn circle(&mut self, id: &str, text: &str) {
        self.line(&format!("{id}((\"{}\"))", escape(text)));
    }

    /// Equal layers once; gives what the stream comes out of.
    fn kind(&mut self, model: &Model, kind: &Kind, id: &str, stream: &str) -> String {
        self.open(id, &[format!("{}, × {}", words::layers(kind), kind.layers.len())]);
        let attention = words::sublayer(kind.attention.sublayer());
        let title = format!("Attention: {}", words::shares(kind.attention_share, self.total));
        let after = self.plain(&format!("{id}a"), &[title], &attention, stream);
        let heading = words::sublayer(kind.ffn.sublayer());
        let title = format!("{}: {}", heading.title, words::shares(kind.ffn_share, self.total));
        let id = format!("{id}f");
        let after = match &kind.ffn {
            Ffn::Dense(b) => self.plain(&id, &[title], &words::dense(b, model.dim), &after),
            Ffn::Coe(b) => {
                let lines: Vec<String> = [title].into_iter().chain(heading.details).collect();
                self.chain(&id, &lines, b, model.dim, &after)
            }
        };
        self.close();
        after
    }

    /// A norm, one block, and the sum with the stream.
    fn plain(&mut self, id: &str, title: &[String], words: &Words, stream: &str) -> String {
        let sum = format!("{id}_sum");
        self.open(id, title);
        self.line(&format!("{id}_norm[\"Norm\"]"));
        self.block(&format!("{id}_block"), words, None);
        self.line(&format!("{id}_norm --> {id}_block"));
        self.close();
        self.circle(&sum, "⊕");
        self.line(&format!("{stream} --> {id}_norm"));
        self.line(&format!("{id}_block --> {sum}"));
        self.line(&format!("{stream} ==> {sum}"));
        sum
    }

    /// A chain of experts, and how it connects with the stream.
    fn chain(&mut self, id: &str, title: &[String], b: &Coe, dim: usize, stream: &str) -> String {
        let wiring = b.wiring();
        let state = if wiring.starts_normed { "z" } else { "x" };
        let has_loop = b.iter > 1;
        let is_frozen = b.gate == Gate::Frozen && has_loop;
        let node = |name: &str| format!("{id}_{name}");
        let (start, input, output) = (node("start"), node("input"), node("output"));

        self.open(id, title);
        if wiring.starts_normed {
            self.line(&format!("{}[\"Norm\"]", node("norm")));
        }
        self.circle(&start, &format!("{state}₀"));
        if is_frozen {
            self.block(&node("router"), &words::router(b), None);
        }
        if has_loop {
            self.open(&node("loop"), &[format!("one of {} iterations", b.iter)]);
        }
        self.circle(&input, &format!("{state}ₜ₋₁"));
        if let Some(how) = words::chain_norm(b) {
            let norms = if b.norm == ChainNorm::Each { "Norms" } else { "Norm" };
            self.line(&format!("{}[\"{norms}<br>{how}\"]", node("norms")));
        }
        if !is_frozen {
            self.block(&node("router"), &words::router(b), None);
        }
        self.block(&node("experts"), &words::experts(b, dim), None);
        let shared = words::shared(b);
        if let Some(words) = &shared {
            self.block(&node("shared"), words, None);
            self.circle(&node("mix"), "⊕");
        }
        if wiring.carry.joined() != Joined::Nothing {
            self.circle(&node("carry"), "⊕");
        }
        self.circle(&output, &format!("{state}ₜ"));
        if has_loop {
            self.close();
        }

        let read = if words::chain_norm(b).is_some() {
            self.line(&format!("{input} --> {}", node("norms")));
            node("norms")
        } else {
            input.clone()
        };
        if wiring.starts_normed {
            self.line(&format!("{} --> {start}", node("norm")));
        }
        self.line(&format!("{start} --> {input}"));
        self.line(&format!(
            "{} --> {}",
            if is_frozen && read == input { &start } else { &read },
            node("router")
        ));
        let selected = words::selected(b);
        let selected = if is_frozen { format!("{selected}, kept for all") } else { selected };
        self.line(&format!("{} -- \"{}\" --> {}", node("router"), escape(&selected), node("experts")));
        self.line(&format!("{read} --> {}", node("experts")));
        let mut made = node("experts");
        if shared.is_some() {
            self.line(&format!("{read} --> {}", node("shared")));
            self.line(&format!("{made} --> {}", node("mix")));
            self.line(&format!("{} --> {}", node("shared"), node("mix")));
            made = node("mix");
        }
        let kept = match wiring.carry.joined() {
            Joined::State => Some(&input),
            Joined::Start => Some(&start),
            Joined::Nothing => None,
        };
        if let Some(kept) = kept {
            self.line(&format!("{made} --> {}", node("carry")));
            self.line(&format!("{kept} -. kept .-> {}", node("carry")));
            made = node("carry");
        }
        self.line(&format!("{made} --> {output}"));
        if has_loop {
            self.line(&format!("{output} -- next iteration --> {input}"));
        }
        let mut result = output;
        if wiring.output == Output::StreamPlusChange {
            let change = node("change");
            self.circle(&change, "⊖");
            self.line(&format!("{result} --> {change}"));
            self.line(&format!("{start} -. kept .-> {change}"));
            result = change;
        }
        self.close();

        let first = if wiring.starts_normed { node("norm") } else { start };
        if wiring.output == Output::State {
            self.line(&format!("{stream} ==> {first}"));
            return result;
        }
        let sum = node("sum");
        self.circle(&sum, "⊕");
        self.line(&format!("{stream} --> {first}"));
        self.line(&format!("{result} --> {sum}"));
        self.line(&format!("{stream} ==> {sum}"));
        sum
    }
}

fn joined(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| escape(line)).collect();
    lines.join("<br>")
}

/// Text between quotes, in which Mermaid reads entities that begin with `#`.
fn escape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '#' => "#35;".to_string(),
            '"' => "#quot;".to_string(),
            '<' => "#lt;".to_string(),
            '>' => "#gt;".to_string(),
            '&' => "#amp;".to_string(),
            c => c.to_string(),
        })
        .collect()
}
