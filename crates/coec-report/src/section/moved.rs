//! How far each tensor moved from where the run began.

use std::collections::BTreeMap;

use super::runs::{Lack, Shown, each};
use crate::context::Context;
use crate::detail::spread;
use crate::html::{listed, long_list, missing};
use crate::number::plain;
use crate::plot::Words;
use crate::plot::strip::{Row, Strip};
use crate::table::{Cell, Table};
use crate::values::{Distance, Moved};

pub fn html(context: &Context<'_>) -> String {
    each(context, "How far each tensor moved", |shown| of_run(context, shown))
}

/// Dots of a row at most: more hide each other.
const MOST_DOTS: usize = 400;

/// Tensors of one kind, by how far they moved in shares of their first norm.
struct Kind<'a> {
    name: String,
    /// In order of the share.
    tensors: Vec<(&'a Distance, f64)>,
}

fn of_run(context: &Context<'_>, shown: Shown<'_>) -> Result<String, Lack> {
    let moved = shown.run.moved.as_ref().ok_or(Lack::Record)?;
    let badge = context.fairness.badge_of(&shown.arm.name);
    let kinds = kinds(moved);
    let rows: Vec<Row> = kinds
        .iter()
        .take(context.detail.rows)
        .map(|kind| Row {
            label: format!("{} ({})", kind.name, kind.tensors.len()),
            values: spread(kind.tensors.len(), MOST_DOTS).into_iter().map(|at| kind.tensors[at].1).collect(),
            median: kind.median(),
        })
        .collect();
    let id = shown.number;
    let in_words: Vec<String> = kinds
        .iter()
        .take(context.detail.rows)
        .map(|kind| {
            format!(
                "{}: median {}, from {} to {}.",
                kind.name,
                plain(kind.median()),
                plain(kind.least().1),
                plain(kind.most().1)
            )
        })
        .collect();
    let words = Words {
        id: format!("moved-{id}"),
        title: "How far each tensor moved".into(),
        description: in_words.join(" "),
    };
    let strip = Strip {
        words,
        title: "norm of the change / norm at the start".into(),
        x: "share of the first norm, logarithmic".into(),
        rows: &rows,
    };
    let mut out = String::new();
    if let Some(svg) = strip.svg() {
        out += &format!(
            "<figure class=\"one\">\n{svg}<figcaption>A dot for each tensor after {} steps: the norm of its change as a \
             share of the norm it began with. The stroke is the median of a row.{badge}</figcaption>\n</figure>\n",
            coec_ir::grouped(moved.step)
        );
    }
    out += &by_kind(context, id, &kinds, &badge);
    out += &from_zero(moved);
    if let Some(card) = &shown.run.card
        && !card.unmoved.is_empty()
    {
        let names: Vec<String> = card.unmoved.iter().map(|name| context.name(name)).collect();
        out += &format!("<p>Never reached by a gradient: {}.</p>\n", listed(&names, 12));
    }
    out += &every(context, id, moved, &badge);
    Ok(out)
}

/// `model.layers.3.mlp.experts.5.up_proj.weight` is one of `mlp.experts.up_proj`.
fn kind_of(name: &str) -> String {
    let name = name.strip_suffix(".weight").unwrap_or(name);
    let name = name.strip_prefix("model.").unwrap_or(name);
    let mut parts = name.split('.').peekable();
    let mut kept: Vec<&str> = Vec::new();
    while let Some(part) = parts.next() {
        match part {
            "layers" if is_number(parts.peek()) => drop(parts.next()),
            "experts" if is_number(parts.peek()) => {
                kept.push(part);
                parts.next();
            }
            part => kept.push(part),
        }
    }
    kept.join(".")
}

/// Where a tensor of its kind is: `layer 3, expert 5`.
fn place_of(name: &str) -> String {
    let mut parts = name.split('.').peekable();
    let mut places = Vec::new();
    while let Some(part) = parts.next() {
        let what = match part {
            "layers" => "layer",
            "experts" => "expert",
            _ => continue,
        };
        if is_number(parts.peek())
            && let Some(number) = parts.next()
        {
            places.push(format!("{what} {number}"));
        }
    }
    places.join(", ")
}

fn is_number(part: Option<&&str>) -> bool {
    part.is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// In the order of the first of each kind; tensors that began at zero apart.
fn kinds(moved: &Moved) -> Vec<Kind<'_>> {
    let mut kinds: Vec<Kind<'_>> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for tensor in moved.tensors.iter().filter(|tensor| tensor.start > 0.0) {
        let name = kind_of(&tensor.name);
        let place = *places.entry(name.clone()).or_insert_with(|| {
            kinds.push(Kind { name, tensors: Vec::new() });
            kinds.len() - 1
        });
        kinds[place].tensors.push((tensor, tensor.change / tensor.start));
    }
    kinds.iter_mut().for_each(|kind| kind.tensors.sort_by(|a, b| a.1.total_cmp(&b.1)));
    kinds
}

impl Kind<'_> {
    fn median(&self) -> f64 {
        let middle = self.tensors.len() / 2;
        match self.tensors.len() % 2 {
            1 => self.tensors[middle].1,
            _ => (self.tensors[middle - 1].1 + self.tensors[middle].1) / 2.0,
        }
    }

    fn least(&self) -> (&Distance, f64) {
        self.tensors[0]
    }

    fn most(&self) -> (&Distance, f64) {
        self.tensors[self.tensors.len() - 1]
    }
}

fn by_kind(context: &Context<'_>, id: usize, kinds: &[Kind<'_>], badge: &str) -> String {
    let caption = format!("The same by kind of tensor{badge}");
    let head = vec![
        Cell::text("tensors"),
        Cell::number("how many"),
        Cell::number("median"),
        Cell::number("least"),
        Cell::text("which"),
        Cell::number("most"),
        Cell::text("which"),
    ];
    let mut table = Table::new(format!("moved-kinds-{id}"), caption, head);
    for kind in kinds.iter().take(context.detail.table) {
        let (least, most) = (kind.least(), kind.most());
        let one = kind.tensors.len() == 1;
        let name = |tensor: &Distance| {
            Cell::html(if one { String::new() } else { context.name(&place_of(&tensor.name)) })
        };
        let number = |share: f64| Cell::number(if one { String::new() } else { plain(share) });
        table.push(vec![
            Cell::html(context.name(&kind.name)),
            Cell::number(kind.tensors.len().to_string()),
            Cell::number(plain(kind.median())),
            number(least.1),
            name(least.0),
            number(most.1),
            name(most.0),
        ]);
    }
    if table.is_empty() { String::new() } else { table.html() }
}

/// Without what all names have.
fn short_name(name: &str) -> &str {
    let name = name.strip_suffix(".weight").unwrap_or(name);
    name.strip_prefix("model.").unwrap_or(name)
}

/// Tensors that have no first norm to be a share of.
fn from_zero(moved: &Moved) -> String {
    let changes = moved.tensors.iter().filter(|tensor| tensor.start <= 0.0).map(|tensor| tensor.change);
    let changes: Vec<f64> = changes.collect();
    if changes.is_empty() {
        return String::new();
    }
    let most = changes.iter().copied().fold(0.0, f64::max);
    format!(
        "<p>{} began at zero, and their norms are now up to {}.</p>\n",
        coec_ir::counted(changes.len(), "tensor"),
        plain(most)
    )
}

/// Every tensor by its name.
fn every(context: &Context<'_>, id: usize, moved: &Moved, badge: &str) -> String {
    let most = context.detail.tensors;
    if most == 0 {
        return missing("Single tensors are left out here; moved.json has every one.");
    }
    let caption = format!("Every tensor{badge}");
    let head = vec![
        Cell::text("tensor"),
        Cell::number("norm at start"),
        Cell::number("norm of the change"),
        Cell::number("share"),
    ];
    let mut table = Table::new(format!("moved-tensors-{id}"), caption, head);
    for tensor in moved.tensors.iter().take(most) {
        let share = if tensor.start > 0.0 { plain(tensor.change / tensor.start) } else { "–".into() };
        table.push(vec![
            Cell::html(context.name(short_name(&tensor.name))),
            Cell::number(plain(tensor.start)),
            Cell::number(plain(tensor.change)),
            Cell::number(share),
        ]);
    }
    let left_out = moved.tensors.len().saturating_sub(most);
    let more = match left_out {
        0 => String::new(),
        count => missing(&format!("{count} more tensors are not listed; moved.json has every one.")),
    };
    long_list("Every tensor by name", &(table.html() + &more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_of_a_kind_whatever_their_layer_and_expert() {
        assert_eq!(kind_of("model.layers.3.mlp.experts.15.up_proj.weight"), "mlp.experts.up_proj");
        assert_eq!(kind_of("model.layers.3.mlp.gate.1.weight"), "mlp.gate.1");
        assert_eq!(kind_of("model.embed_tokens.weight"), "embed_tokens");
        assert_eq!(kind_of("lm_head.weight"), "lm_head");
        assert_eq!(place_of("model.layers.3.mlp.experts.15.up_proj.weight"), "layer 3, expert 15");
        assert_eq!(place_of("lm_head.weight"), "");
    }

    #[test]
    fn a_kind_knows_its_middle_and_its_ends() {
        let distance = |expert: usize, change| Distance {
            name: format!("model.layers.0.mlp.experts.{expert}.up_proj.weight"),
            start: 2.0,
            change,
        };
        let moved = Moved { step: 1, tensors: vec![distance(0, 3.0), distance(1, 1.0), distance(2, 2.0)] };
        let kinds = kinds(&moved);
        assert_eq!(kinds.len(), 1);
        assert_eq!((kinds[0].median(), kinds[0].least().1, kinds[0].most().1), (1.0, 0.5, 1.5));
    }

    #[test]
    fn what_began_at_zero_has_no_share() {
        let tensors = vec![Distance { name: "b".into(), start: 0.0, change: 0.5 }];
        let moved = Moved { step: 1, tensors };
        assert!(kinds(&moved).is_empty());
        assert!(from_zero(&moved).contains("1 tensor began at zero"), "{}", from_zero(&moved));
    }
}
