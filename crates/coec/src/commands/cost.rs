//! `coec cost`: the figures, several specs side by side.

use std::collections::BTreeMap;

use coec_ir::{
    Conditions, Figure, Recompute, Shard,
    cost::{Cost, Part, Setting},
};
use coec_lang::{Diagnostic, Spec, load};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    arguments,
    cli::{By, CostArgs, RecomputeArg, ShardArg},
    disk::{Disk, NOTE},
    failure::{Done, Failure},
    render::{
        self,
        figure::{FigureValue, Figures, cell},
        json::{json_of, print_json},
        table::Table,
    },
};

pub fn run(args: &CostArgs) -> Result<Done, Failure> {
    let (mut specs, mut wrong) = (Vec::new(), Vec::new());
    for (path, named) in arguments::specs(&args.spec.specs)?.iter().zip(&args.spec.specs) {
        // A wrong spec does not keep the others from being counted.
        match load(path, &args.spec.set.sets, &Disk) {
            Ok(models) => specs.extend(models),
            Err(errors) => wrong.push((named, errors)),
        }
    }
    let conditions = Conditions {
        context: args.context.map(|context| context as usize),
        batch: Some(args.batch as usize),
        precision: Some(args.precision.precision()),
        recompute: Some(match args.recompute {
            RecomputeArg::None => Recompute::None,
            RecomputeArg::Experts => Recompute::Experts,
            RecomputeArg::Layers => Recompute::Layers,
        }),
        ranks: Some(args.ranks as usize),
        shard: Some(match args.shard {
            ShardArg::None => Shard::None,
            ShardArg::Full => Shard::Full,
        }),
        backend: None,
    };
    let counted: Vec<(&Spec, Cost)> = specs
        .iter()
        .map(|spec| (spec, Cost::of(&spec.model, Setting::of(&spec.model, &conditions))))
        .collect();
    if args.spec.json.json {
        print_json(&Document {
            schema: coec_ir::SCHEMA,
            convention: render::figure::CONVENTION,
            models: counted.iter().map(|(spec, cost)| ModelDocument::new(spec, cost)).collect(),
            errors: wrong
                .iter()
                .map(|(named, errors)| json!({ "spec": named, "errors": json_of(errors) }))
                .collect(),
        });
        return ended(wrong.is_empty());
    }
    wrong.iter().for_each(|(_, errors)| render::diagnostics(errors));
    if counted.is_empty() {
        return ended(wrong.is_empty());
    }
    if counted.len() > MOST_COLUMNS {
        one_a_line(&counted)
    } else {
        side_by_side(&counted)
    }
    if args.by == Some(By::Layer) {
        for (spec, cost) in &counted {
            by_layer(spec, cost);
        }
    }
    render::line(&format!("({})", render::figure::CONVENTION));
    render::line(&format!("({})", render::figure::ACTIVE));
    for spec in &specs {
        // What is worth a word of a spec that stands there as text is said when it is checked.
        for remark in spec.advice.iter().filter(|advice| advice.code() == NOTE) {
            render::line(&format!("({}: {})", spec.model.name, remark.message()));
        }
    }
    ended(wrong.is_empty())
}

fn ended(all_counted: bool) -> Result<Done, Failure> {
    if all_counted { Ok(Done::Well) } else { Err(Failure::Shown) }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    convention: &'static str,
    models: Vec<ModelDocument<'a>>,
    /// Of specs that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Value>,
}

#[derive(Serialize)]
struct ModelDocument<'a> {
    name: &'a str,
    setting: Setting,
    figures: Figures<'a>,
    /// What a `config.json` says besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    layers: Vec<LayerDocument>,
}

#[derive(Serialize)]
struct LayerDocument {
    layer: usize,
    figures: BTreeMap<&'static str, FigureValue>,
}

impl<'a> ModelDocument<'a> {
    fn new(spec: &'a Spec, cost: &'a Cost) -> Self {
        let of_layer = |(layer, &kind): (usize, &usize)| {
            let value = |&figure: &Figure| {
                let value = cost.of_part(&cost.kinds[kind], figure)?;
                Some((figure.name(), FigureValue::new(figure, value)))
            };
            LayerDocument { layer, figures: LAYER_FIGURES.iter().filter_map(value).collect() }
        };
        Self {
            name: &spec.model.name,
            setting: cost.setting,
            figures: Figures(cost),
            notes: spec.advice.iter().filter(|a| a.code() == NOTE).map(Diagnostic::message).collect(),
            layers: cost.order.iter().enumerate().map(of_layer).collect(),
        }
    }
}

const LAYER_FIGURES: [Figure; 7] = [
    Figure::ParamsTotal,
    Figure::ParamsActive,
    Figure::FlopsForward,
    Figure::FlopsExecuted,
    Figure::MemoryKvCache,
    Figure::ExpertsCalls,
    Figure::ExpertsPaths,
];

/// Specs that stand side by side; more stand below each other.
const MOST_COLUMNS: usize = 8;

/// A line for each spec, which is what sorts and searches of many want.
fn one_a_line(counted: &[(&Spec, Cost)]) {
    // All are counted in settings of one kind.
    let first = counted.first().into_iter();
    let shown: Vec<Figure> = first.flat_map(|(_, cost)| cost.figures().map(|(figure, _)| figure)).collect();
    let mut header = vec!["model".to_string()];
    header.extend(shown.iter().map(|figure| figure.name().to_string()));
    header.push("counted for".into());
    let mut table = Table::new(header);
    for (spec, cost) in counted {
        let mut row = vec![spec.model.name.clone()];
        let value = |&figure: &Figure| cost.figure(figure).map(|value| cell(figure, &value.to_string()));
        row.extend(shown.iter().map(|figure| value(figure).unwrap_or_default()));
        row.push(render::figure::setting(cost.setting));
        table.push(row);
    }
    table.lines().iter().for_each(|text| render::line(text));
}

fn side_by_side(counted: &[(&Spec, Cost)]) {
    let mut header = vec!["figure".to_string()];
    header.extend(counted.iter().map(|(spec, _)| spec.model.name.clone()));
    header.push("unit".into());
    let mut table = Table::new(header);
    // All are counted in settings of one kind.
    for (figure, _) in counted.first().into_iter().flat_map(|(_, cost)| cost.figures()) {
        let mut row = vec![figure.name().to_string()];
        for (_, cost) in counted {
            row.push(cost.figure(figure).map_or(String::new(), |value| cell(figure, &value.to_string())));
        }
        row.push(figure.unit().word().into());
        table.push(row);
    }
    table.lines().iter().for_each(|text| render::line(text));
    for (spec, cost) in counted {
        render::line(&format!("{}: {}", spec.model.name, render::figure::setting(cost.setting)));
    }
}

fn by_layer(spec: &Spec, cost: &Cost) {
    render::line(&format!("\n{}", spec.model.name));
    let mut header = vec!["layer".to_string()];
    header.extend(LAYER_FIGURES.iter().map(|figure| figure.name().to_string()));
    let mut table = Table::new(header);
    let mut push = |name: String, part: &Part| {
        let mut row = vec![name];
        row.extend(LAYER_FIGURES.iter().map(|&figure| {
            cost.of_part(part, figure).map_or(String::new(), |value| cell(figure, &value.to_string()))
        }));
        table.push(row);
    };
    push("embedding, norm, head".into(), &cost.outside);
    for (layer, &kind) in cost.order.iter().enumerate() {
        push(layer.to_string(), &cost.kinds[kind]);
    }
    push("all".into(), &cost.total);
    table.lines().iter().for_each(|text| render::line(text));
}
