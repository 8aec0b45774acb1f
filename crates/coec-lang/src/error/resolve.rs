//! Why the words of a spec do not make a model.

use super::{Labels, errors};
use crate::source::Span;
use crate::suggest;

errors! {
    /// Why the words of a spec do not make a model.
    ResolveError {
        /// A field, key or path the block does not have.
        #[error("{owner} has no field `{name}`")]
        UnknownField { name: String, owner: String, suggestion: Option<String>, candidates: Vec<String>, note: Option<String>, at: Span } => "coec::resolve::unknown_field",
        /// A field given twice.
        #[error("`{name}` is given twice")]
        DuplicateField { name: String, first: Span, at: Span } => "coec::resolve::duplicate_field",
        /// Fields without a default that were left out.
        #[error("{owner} needs {}", suggest::all(names))]
        MissingField { owner: String, names: Vec<String>, example: String, at: Span } => "coec::resolve::missing_field",
        /// A word that means nothing here.
        #[error("`{word}` is no {what}")]
        UnknownWord { word: String, what: String, suggestion: Option<String>, candidates: Vec<String>, at: Span } => "coec::resolve::unknown_word",
        /// A number where a word belongs, or the like.
        #[error("`{field}` expects {expected}, found {found}")]
        WrongKind { field: String, expected: String, found: String, at: Span } => "coec::resolve::wrong_kind",
        /// More values without a key than the block has places for.
        #[error("`{word}` takes {} without a key", count(*most))]
        TooManyArguments { word: String, most: usize, keys: Vec<String>, at: Span } => "coec::resolve::too_many_arguments",
        /// A suffix that is no unit.
        #[error("`{number}` has no unit of the language")]
        UnknownUnit { number: String, at: Span } => "coec::resolve::unknown_unit",
        /// A fraction where a whole number belongs.
        #[error("`{field}` expects a whole number, found `{number}`")]
        NotAnInteger { field: String, number: String, at: Span } => "coec::resolve::not_an_integer",
        /// A number below zero.
        #[error("`{number}` is negative")]
        NegativeNumber { number: String, at: Span } => "coec::resolve::negative_number",
        /// A number too large to be held.
        #[error("`{number}` is out of range")]
        NumberOutOfRange { number: String, at: Span } => "coec::resolve::number_out_of_range",
        /// Bytes where something else is counted.
        #[error("`{number}` is a number of bytes, `{field}` is not measured in bytes")]
        BytesUnit { field: String, number: String, at: Span } => "coec::resolve::bytes_unit",
        /// A list of the wrong length.
        #[error("`{field}` expects {expected} values, found {found}")]
        ListLength { field: String, expected: usize, found: usize, at: Span } => "coec::resolve::list_length",
        /// `gate=shared`.
        #[error("`gate=shared` names two different models")]
        GateShared { at: Span } => "coec::resolve::gate_shared",
        /// Expert-choice routing.
        #[error("expert choice is not causal: a later token would change an earlier one")]
        ExpertChoice { at: Span } => "coec::resolve::expert_choice_not_causal",
        /// `groups` without `keep`, or the other way round.
        #[error("`{given}` needs `{missing}`")]
        GroupsNeedKeep { given: &'static str, missing: &'static str, at: Span } => "coec::resolve::groups_need_keep",
        /// A head width that cannot be derived.
        #[error("`head_dim` was left out, and {heads} heads do not divide dim = {dim}")]
        HeadDimNotWhole { dim: usize, heads: usize, at: Span } => "coec::resolve::head_dim_not_whole",
        /// `dim[0] = ...`.
        #[error("`{field}` is one value, not one for each layer")]
        NotPerLayer { field: String, at: Span } => "coec::resolve::not_per_layer",
        /// `loop = 2`, or `loop[every 2] = 2`.
        #[error("a loop is of layers that follow each other")]
        LoopNeedsLayers { at: Span } => "coec::resolve::loop_needs_layers",
        /// An override of a layer there is none of.
        #[error("there is no layer {layer}: the model has {layers}")]
        LayerOutOfRange { layer: usize, layers: usize, layers_at: Option<Span>, at: Span } => "coec::resolve::layer_out_of_range",
        /// `[3..3]`.
        #[error("this range holds no layer")]
        EmptyRange { start: usize, end: usize, at: Span } => "coec::resolve::empty_range",
        /// `[every 0]`.
        #[error("`every 0` names no layer")]
        EveryZero { at: Span } => "coec::resolve::every_zero",
        /// Two overrides of one layer.
        #[error("layer {layer} has two overrides of `{field}`")]
        OverlappingOverrides { field: String, layer: usize, first: Span, at: Span } => "coec::resolve::overlapping_overrides",
        /// Two models of one name.
        #[error("there are two models `{name}`")]
        DuplicateModel { name: String, first: Span, at: Span } => "coec::resolve::duplicate_model",
        /// Two lets of one name.
        #[error("there are two values `{name}`")]
        DuplicateLet { name: String, first: Span, at: Span } => "coec::resolve::duplicate_let",
        /// A let that needs itself.
        #[error("`{name}` is defined by itself: {chain}")]
        LetCycle { name: String, chain: String, at: Span } => "coec::resolve::let_cycle",
        /// A let named like a word of the language.
        #[error("`{name}` is a word of the language")]
        LetShadowsWord { name: String, at: Span } => "coec::resolve::let_shadows_word",
        /// More text after expansion than a compiler should make.
        #[error("with every `let`, `extends` and budget written out this spec is too large")]
        ExpansionTooLarge { limit: usize, at: Span } => "coec::resolve::expansion_too_large",
        /// A file of budgets and lets.
        #[error("`{path}` declares no model")]
        NoModel { path: String, at: Span } => "coec::resolve::no_model",
        /// A chain of `extends` that returns to its start.
        #[error("`extends` goes in a circle: {chain}")]
        ExtendsCycle { chain: String, at: Span } => "coec::resolve::extends_cycle",
        /// A chain of `extends` that is too long.
        #[error("more than {limit} models extend each other")]
        ExtendsTooDeep { limit: usize, at: Span } => "coec::resolve::extends_too_deep",
        /// A choice among models that was not made.
        #[error("`{path}` holds {} models", names.len())]
        SeveralModels { path: String, names: Vec<String>, at: Span } => "coec::resolve::several_models",
        /// A model there is none of.
        #[error("`{path}` has no model `{name}`")]
        UnknownModel { path: String, name: String, suggestion: Option<String>, candidates: Vec<String>, at: Span } => "coec::resolve::unknown_model",
        /// Something that looks like the paper's notation and is not.
        #[error("`{text}` is not the paper's notation")]
        BadNotation { text: String, why: &'static str, at: Span } => "coec::resolve::bad_notation",
        /// A figure there is none of.
        #[error("there is no figure `{name}`")]
        UnknownFigure { name: String, suggestion: Option<String>, candidates: Vec<String>, at: Span } => "coec::resolve::unknown_figure",
        /// `per layer` of something that has no layers.
        #[error("`{figure}` does not split over layers")]
        FigureNotPerLayer { figure: &'static str, at: Span } => "coec::resolve::figure_not_per_layer",
        /// A condition there is none of.
        #[error("there is no condition `{name}`")]
        UnknownCondition { name: String, suggestion: Option<String>, candidates: Vec<String>, at: Span } => "coec::resolve::unknown_condition",
        /// `backend` on a figure that is the same on all of them.
        #[error("`{figure}` is the same on every backend")]
        BackendNotMeasured { figure: &'static str, at: Span } => "coec::resolve::backend_not_measured",
        /// Two figures that cannot be compared.
        #[error("`{left}` counts {left_unit}, `{right}` counts {right_unit}")]
        FigureUnitsDiffer { left: &'static str, left_unit: &'static str, right: &'static str, right_unit: &'static str, at: Span } => "coec::resolve::figure_units_differ",
        /// A measured figure of a spec that is not running.
        #[error("`{figure}` of another spec is not known here")]
        MeasuredElsewhere { figure: &'static str, at: Span } => "coec::resolve::measured_elsewhere",
        /// `+- 5`.
        #[error("a tolerance is a percentage, found `{number}`")]
        ToleranceNotPercent { number: String, at: Span } => "coec::resolve::tolerance_not_percent",
        /// Two sweeps in one file.
        #[error("the file has several sweeps")]
        SeveralSweeps { first: Span, at: Span } => "coec::resolve::several_sweeps",
        /// A sweep of more runs than anyone waits for.
        #[error("the sweep has more than {limit} runs")]
        SweepTooLarge { limit: usize, at: Span } => "coec::resolve::sweep_too_large",
        /// Two training blocks for one model.
        #[error("`{model}` has two training blocks")]
        SeveralTrains { model: String, first: Span, at: Span } => "coec::resolve::several_trains",
        /// A path of `--set` through something that has no fields.
        #[error("`{name}` has no fields to set")]
        NotABlock { name: String, found: String, at: Span } => "coec::resolve::not_a_block",
    }
}

fn count(n: usize) -> String {
    match n {
        0 => "no value".into(),
        1 => "one value".into(),
        n => format!("{n} values"),
    }
}

impl ResolveError {
    pub fn labels(&self) -> Labels {
        let twice = |at: &Span, label: &str, first: &Span, first_label: &str| {
            vec![(*at, label.to_string()), (*first, first_label.to_string())]
        };
        let (at, label): (&Span, String) = match self {
            Self::UnknownField { at, .. } => (at, "unknown field".into()),
            Self::DuplicateField { at, first, .. } => {
                return twice(at, "given again", first, "first given here");
            }
            Self::MissingField { at, names, .. } => (at, format!("without {}", suggest::all(names))),
            Self::UnknownWord { at, what, .. } => (at, format!("expected {}", article(what))),
            Self::WrongKind { at, expected, .. } => (at, format!("expected {expected}")),
            Self::TooManyArguments { at, .. } => (at, "one too many".into()),
            Self::UnknownUnit { at, .. } => (at, "unknown unit".into()),
            Self::NotAnInteger { at, .. } => (at, "expected a whole number".into()),
            Self::NegativeNumber { at, .. } => (at, "expected zero or more".into()),
            Self::NumberOutOfRange { at, .. } => (at, "out of range".into()),
            Self::BytesUnit { at, .. } => (at, "not bytes".into()),
            Self::ListLength { at, expected, .. } => (at, format!("expected {expected} values")),
            Self::GateShared { at } => (at, "`tied` or `frozen`?".into()),
            Self::ExpertChoice { at } => (at, "not possible in a causal model".into()),
            Self::GroupsNeedKeep { at, missing, .. } => (at, format!("without `{missing}`")),
            Self::HeadDimNotWhole { at, heads, .. } => {
                (at, format!("must divide dim, or be given: {heads} heads"))
            }
            Self::NotPerLayer { at, .. } => (at, "cannot differ between layers".into()),
            Self::LoopNeedsLayers { at } => (at, "expected a range of layers".into()),
            Self::LayerOutOfRange { at, layers, layers_at, .. } => {
                let label = (*at, format!("layers are 0 to {}", layers.saturating_sub(1)));
                let why = layers_at.map(|at| (at, format!("{layers} layers")));
                return std::iter::once(label).chain(why).collect();
            }
            Self::EmptyRange { at, .. } => (at, "empty".into()),
            Self::EveryZero { at } => (at, "expected 1 or more".into()),
            Self::OverlappingOverrides { at, layer, first, .. } => {
                return twice(at, &format!("overrides layer {layer} again"), first, "first overridden here");
            }
            Self::DuplicateModel { at, first, .. } | Self::DuplicateLet { at, first, .. } => {
                return twice(at, "declared again", first, "first declared here");
            }
            Self::LetCycle { at, .. } => (at, "needs itself".into()),
            Self::LetShadowsWord { at, .. } => (at, "already has a meaning".into()),
            Self::ExpansionTooLarge { at, limit } => (at, format!("more than {limit} values by here")),
            Self::NoModel { at, .. } => (at, "expected a model".into()),
            Self::ExtendsCycle { at, .. } => (at, "returns here".into()),
            Self::ExtendsTooDeep { at, .. } => (at, "one too many".into()),
            Self::SeveralModels { at, .. } => (at, "which one?".into()),
            Self::UnknownModel { at, .. } => (at, "no such model".into()),
            Self::BadNotation { at, why, .. } => (at, (*why).into()),
            Self::UnknownFigure { at, .. } => (at, "unknown figure".into()),
            Self::FigureNotPerLayer { at, .. } => (at, "not per layer".into()),
            Self::UnknownCondition { at, .. } => (at, "unknown condition".into()),
            Self::BackendNotMeasured { at, .. } => (at, "only measured figures depend on it".into()),
            Self::FigureUnitsDiffer { at, left_unit, .. } => (at, format!("expected {left_unit}")),
            Self::MeasuredElsewhere { at, .. } => (at, "not measured in this run".into()),
            Self::ToleranceNotPercent { at, .. } => (at, "expected a percentage".into()),
            Self::SeveralTrains { at, first, .. } | Self::SeveralSweeps { at, first } => {
                return twice(at, "and this one", first, "this one");
            }
            Self::SweepTooLarge { at, .. } => (at, "multiplies the runs".into()),
            Self::NotABlock { at, found, .. } => (at, format!("is {found}")),
        };
        vec![(*at, label)]
    }

    pub fn help(&self) -> String {
        match self {
            Self::UnknownField { suggestion, candidates, note, .. } => {
                // A note knows better than a likeness what was meant.
                let suggestion = suggestion.as_deref().filter(|_| note.is_none());
                let known = suggest::help(suggestion, candidates);
                note.as_ref().map_or(known.clone(), |note| format!("{note}; here, {known}"))
            }
            Self::DuplicateField { .. } => "keep one of them".into(),
            Self::MissingField { example, .. } => format!("for example `{example}`"),
            Self::UnknownWord { suggestion, candidates, .. } => suggest::help(suggestion.as_deref(), candidates),
            Self::WrongKind { field, expected, .. } => format!("give `{field}` {expected}"),
            Self::TooManyArguments { keys, .. } => format!("write the key: {}", suggest::either(keys)),
            Self::UnknownUnit { .. } => "k, M, G, T are decimal, Ki, Mi, Gi binary, B behind them bytes, % a \
                percentage; digits stand together: `102400`"
                .into(),
            Self::NotAnInteger { .. } => "write it without a fraction; `1.5k` is 1500".into(),
            Self::NegativeNumber { number, .. } => match number.trim_start_matches('-') {
                "" | "0" => "write `0`".into(),
                positive => format!("no number of the language is below zero; did you mean `{positive}`?"),
            },
            Self::NumberOutOfRange { .. } => "no field holds a number of this size".into(),
            Self::BytesUnit { number, .. } => format!("did you mean `{}`?", number.trim_end_matches('B')),
            Self::ListLength { expected, .. } => format!("give {expected} values in brackets"),
            Self::GateShared { .. } => "the paper says `shared` of both: `gate=tied` has one router that reads \
                every iteration's state again (the reference's use_igate=false); `gate=frozen` routes once, on the \
                first iteration's input, and reuses selection and weights (the paper's eq. 8)"
                .into(),
            Self::ExpertChoice { .. } => "let tokens choose: `router=softmax()` or `router=sigmoid()`; keep experts \
                evenly used with `balance=bias(rate=0.001)` or `balance=seq_aux(alpha=0.001)`"
                .into(),
            Self::GroupsNeedKeep { .. } => "`groups=8, keep=4` forms 8 groups of experts and keeps the best 4 per \
                token; leave both out for no groups"
                .into(),
            Self::HeadDimNotWhole { .. } => "give `head_dim`, or choose heads that divide dim".into(),
            Self::NotPerLayer { field, .. } => {
                format!("write `{field} = ...`; `attention` and `ffn` can differ between layers")
            }
            Self::LoopNeedsLayers { .. } => {
                "`loop[1..3] = 2` runs layers 1 and 2, then both again; `loop[2] = 3` runs layer 2 three times".into()
            }
            Self::LayerOutOfRange { .. } => "layers count from 0, and a range stops before its end".into(),
            Self::EmptyRange { start, .. } => {
                format!("ranges stop before their end: `[{start}..{}]` is layer {start}", start.saturating_add(1))
            }
            Self::EveryZero { .. } => "`every 2` is layers 0, 2, 4, ...".into(),
            Self::OverlappingOverrides { .. } => "give each layer one override".into(),
            Self::DuplicateModel { .. } | Self::DuplicateLet { .. } => "rename one of them".into(),
            Self::LetCycle { .. } => "a value can only use others that do not lead back to it".into(),
            Self::LetShadowsWord { name, .. } => format!("choose another name, such as `my_{name}`"),
            Self::ExpansionTooLarge { .. } => "use fewer models, budgets or values in one file".into(),
            Self::NoModel { .. } => "declare one: `model NAME { ffn = dense() }`".into(),
            Self::ExtendsCycle { .. } => "one of them must stand on its own".into(),
            Self::ExtendsTooDeep { .. } => "extend a model nearer to the root".into(),
            Self::SeveralModels { path, names, .. } => {
                let all: Vec<_> = names.iter().take(24).map(|name| format!("{path}#{name}")).collect();
                format!("name one: {}", suggest::either(&all))
            }
            Self::UnknownModel { suggestion, candidates, .. } => suggest::help(suggestion.as_deref(), candidates),
            Self::BadNotation { .. } => {
                "`CoE-2(4/64)` is 2 iterations of 4 experts each among 64 with the shared one; \
                 `MoE(8/64)` is one iteration of 8"
                    .into()
            }
            Self::UnknownFigure { suggestion, candidates, .. } => suggest::help(suggestion.as_deref(), candidates),
            Self::FigureNotPerLayer { .. } => "drop `per layer`".into(),
            Self::UnknownCondition { suggestion, candidates, .. } => {
                suggest::help(suggestion.as_deref(), candidates)
            }
            Self::BackendNotMeasured { .. } => "drop the condition, or use a `measured.` figure".into(),
            Self::FigureUnitsDiffer { .. } => "compare figures of one unit".into(),
            Self::MeasuredElsewhere { .. } => "compare with a counted figure of the other spec".into(),
            Self::ToleranceNotPercent { number, .. } => {
                format!("it is relative to the right-hand side; did you mean `+- {number}%`?")
            }
            Self::SeveralSweeps { .. } => "put the other one in a file of its own that extends the model".into(),
            Self::SweepTooLarge { .. } => "give an axis fewer values, or split the sweep".into(),
            Self::SeveralTrains { .. } => "a block without a name is for every model of the file; keep one".into(),
            Self::NotABlock { .. } => "set the field itself".into(),
        }
    }
}

fn article(what: &str) -> String {
    let vowel = what.starts_with(['a', 'e', 'i', 'o', 'u']) || what == "ffn";
    format!("{} {what}", if vowel { "an" } else { "a" })
}
