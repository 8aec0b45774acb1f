use super::*;

fn shown(text: &str) -> String {
    let outline = Outline::of(text);
    let one = |token: &Token| {
        let role = match token.role {
            Role::Field(table, field) => format!("{}.{}", table.word, field.name),
            Role::Block(table) => format!("block {}", table.word),
            Role::Word(field) => format!("word of {}", field.name),
            Role::Figure(figure) => format!("figure {}", figure.name()),
            other => format!("{other:?}").to_lowercase(),
        };
        format!("{}: {role}\n", &text[token.start..token.end])
    };
    outline.tokens.iter().filter(|token| !matches!(token.role, Role::Mark)).map(one).collect()
}

#[test]
fn every_token_has_its_role() {
    let text = "
        /// Kept.
        model a extends \"b.coe#c\" {
            dim = 64 // not kept
            ffn[every 2] = coe(iter=2, k=rounds, balance=[bias(0.001)], residual=delta, wrong=1)
            nothing = inner
        }
        let rounds = [4, 2]
        budget a { warn flops.forward <= flops.train(\"MoE(8/64)\") +- 5% per layer @ batch=4, precision=bf16 }
        model model { dim = 1 } model extends extends \"b.coe\" { }
        sweep { ffn.k = [2, 4] with ffn.iter = ffn.experts-1 with ffn.hidden = 8 / ffn.k  fit ffn.hidden under params.total == 3M }
    ";
    insta::assert_snapshot!(shown(text));
}

fn wants(text: &str) -> String {
    let at = text.find('|').expect("the place is marked");
    let text = text.replacen('|', "", 1);
    let Some(Site { typed, wants, calls, .. }) = site(&text, at) else { return "nothing".into() };
    let field = |field: Option<&'static Field>| field.map_or("none", |field| field.name);
    let wants = match wants {
        Wants::Field(table) => format!("a field of {}", table.word),
        Wants::Argument(next) => format!("an argument, {}", field(next)),
        Wants::Value(of) => format!("a value, {}", field(of)),
        Wants::Target(figure) => format!("a target, {}", figure.map_or("none", Figure::name)),
        Wants::Condition(figure) => format!("a condition, {}", figure.map_or("none", Figure::name)),
        other => format!("{other:?}").to_lowercase(),
    };
    let calls: String = calls
        .iter()
        .map(|call| {
            let active = call.active.map_or(String::new(), |active| format!(" at {active}"));
            format!(
                " in {}[{}]{active}",
                call.tables.first().map_or("?", |table| table.word),
                call.given.join(" ")
            )
        })
        .collect();
    format!("{wants}{calls}, typed `{}`", &text[typed])
}

#[test]
fn what_may_stand_at_a_place() {
    let places = [
        "|",
        "mo|",
        "model a| { }",
        "model a | { }",
        "model a |",
        "model a { ffn[|] = dense() }",
        "model a { dim = 64| }",
        "model a { ffn = coe(iter=2|) }",
        "model a extends \"b\"| { }",
        "model a extends \"|\" { }",
        "model a extends \"b|\" { }",
        "model a { | }",
        "model a { di|",
        "model a { dim = |\n layers = 4 }",
        "model a { dim = 64\n ff| ffn = dense() }",
        "model a { ffn = co|\n layers = 4 }",
        "model a { ffn = coe(|\n layers = 4 }",
        "model a { ffn = coe(iter=2, |) }",
        "model a { ffn = coe(iter=2, re|) }",
        "model a { ffn = coe(iter=2, residual=|) }",
        "model a { ffn = coe(iter=2, router=sigmoid(renorm=t|",
        "model a { ffn = coe(iter=2, balance=[bias(|",
        "model a { attention = mha(rope=rope(|)) }",
        "let x = |",
        "let x = coe(it|",
        "budget | { }",
        "budget { | }",
        "budget { params.t|",
        "budget { params.| }",
        "budget { params.total | }",
        "budget { params.total <= |\n flops.forward <= 3M }",
        "budget { params.total <= params.total(\"|\") }",
        "budget { memory.train <= 1G @ | }",
        "budget { memory.train <= 1G @ batch=2, precision=| }",
        "train { optimizer = adamw(l|",
        "train { tokenizer = | }",
        "sweep { ffn.|",
        "sweep { fit ffn.hidden | }",
        "sweep { fit ffn.hidden under | }",
        "sweep { ffn.residual = [|] }",
        "sweep { ffn.k = 2 with ffn.iter = | }",
        "budget { params.total <= 3M per | }",
        "// a co|mment",
        "coe(iter=2, |",
    ];
    let shown: String = places.iter().map(|place| format!("{place}\n    {}\n", wants(place))).collect();
    insta::assert_snapshot!(shown);
}

#[test]
fn items_and_their_parts() {
    let text = "model a { dim = 64 ffn[0] = dense() }\nbudget { warn params.total <= 3M }\nlet b = 1";
    let outline = Outline::of(text);
    let shown: String = outline
        .items
        .iter()
        .map(|item| {
            let name = item.name.clone().map_or("", |name| &text[name]);
            let parts = item
                .parts
                .iter()
                .map(|part| format!("    {} | {}\n", &text[part.name.clone()], &text[part.range.clone()]));
            format!("{:?} {name}: {}\n{}", item.kind, &text[item.range.clone()], parts.collect::<String>())
        })
        .collect();
    insta::assert_snapshot!(shown);
}

/// Everything but white space is in one token, in order, whatever the text.
fn covers(text: &str) {
    let outline = Outline::of(text);
    let mut at = 0;
    for token in &outline.tokens {
        assert!(at <= token.start && token.start < token.end, "{text:?}");
        let between = &text[at..token.start];
        assert!(between.chars().all(|c| c.is_whitespace() || c == '\u{feff}'), "{text:?}: {between:?}");
        at = token.end;
    }
    assert!(text[at..].chars().all(|c| c.is_whitespace() || c == '\u{feff}'), "{text:?}");
}

#[test]
fn any_text_is_covered() {
    use proptest::prelude::*;
    let piece = prop_oneof![
        Just("model "),
        Just("budget "),
        Just("train "),
        Just("sweep "),
        Just("let "),
        Just("a "),
        Just("ffn"),
        Just("coe("),
        Just("("),
        Just(")"),
        Just("["),
        Just("]"),
        Just("{"),
        Just("}"),
        Just("="),
        Just(","),
        Just("params.total "),
        Just("<= "),
        Just("3M "),
        Just("@ "),
        Just("\""),
        Just("// c\n"),
        Just("/*"),
        Just("*/"),
        Just("é"),
        Just("\u{feff}"),
        Just("\\"),
        Just("with "),
        Just("fit "),
        Just("under "),
        Just("\n"),
        Just("every "),
        Just(".."),
        Just("-1"),
        Just("warn "),
        Just("per layer "),
        Just("extends "),
        Just("+-"),
    ];
    proptest!(|(pieces in prop::collection::vec(piece, 0..60))| {
        let text = pieces.concat();
        covers(&text);
        for (at, _) in text.char_indices() {
            site(&text, at);
        }
    });
}
