//! What stands on a page, and what holds for every page.
//!
//! `INSTA_UPDATE=always cargo test -p coec-report` rewrites the outlines.

mod common;

use std::collections::BTreeMap;

use coec_report::values::*;
use coec_report::{LARGEST, page};
use common::tags::tags;

/// Headings, plots by their titles, captions, columns and what is folded, one below the other.
fn outline(html: &str) -> String {
    let mut out = String::new();
    let seen = tags(html);
    for (at, tag) in seen.iter().enumerate() {
        let text = tag.text.trim();
        match tag.name {
            "h1" => out += &format!("# {text}\n"),
            "h2" => out += &format!("\n## {text}\n"),
            "h3" => out += &format!("### {text}\n"),
            "svg" if tag.get("class") == Some("plot") => out += &format!("plot: {}\n", seen[at + 1].text),
            "svg" if tag.get("class") == Some("coec-model") => {
                out += &format!("drawing: {}\n", seen[at + 1].text)
            }
            "caption" => out += &format!("table: {}\n", tag.words("caption")),
            "th" if tag.get("scope") == Some("col") => out += &format!("    {}\n", tag.words("th")),
            "details" => {
                let state = if tag.attributes.contains("open") { "unfolded" } else { "folded" };
                out += &format!("{state}: {}\n", seen[at + 1].words("summary"));
            }
            "p" if tag.get("class") == Some("missing") => out += &format!("missing: {text}\n"),
            "p" if tag.get("class") == Some("warning") => out += &format!("warning: {text}\n"),
            "input" => out += &format!("box: {}\n", tag.words("label")),
            _ => {}
        }
    }
    out
}

#[test]
fn one_run() {
    insta::assert_snapshot!(outline(&page(&common::single())));
}

#[test]
fn a_comparison_that_is_not_fair() {
    insta::assert_snapshot!(outline(&page(&common::compared(false))));
}

#[test]
fn runs_of_an_earlier_version_and_of_unknown_specs() {
    insta::assert_snapshot!(outline(&page(&common::old())));
}

fn all() -> [(&'static str, Report); 6] {
    [
        ("nothing", Report::default()),
        ("single", common::single()),
        ("fair", common::compared(true)),
        ("unfair", common::compared(false)),
        ("twenty", common::twenty()),
        ("old", common::old()),
    ]
}

#[test]
fn every_name_is_given_once_and_every_reference_leads_to_one() {
    for (about, report) in all() {
        let html = page(&report);
        let seen = tags(&html);
        let mut ids: Vec<&str> = seen.iter().filter_map(|tag| tag.get("id")).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{about}: each id is one element's");
        let labels = seen.iter().filter_map(|tag| tag.get("aria-labelledby")).flat_map(|ids| ids.split(' '));
        let links = seen.iter().filter_map(|tag| tag.get("href")?.strip_prefix('#'));
        for to in labels.chain(links) {
            assert!(ids.binary_search(&to).is_ok(), "{about}: nothing is called {to}");
        }
    }
}

#[test]
fn nothing_is_loaded_and_nothing_is_run() {
    for (about, report) in all() {
        let html = page(&report);
        for tag in tags(&html) {
            assert!(
                !["script", "link", "img", "iframe", "object", "base", "form"].contains(&tag.name),
                "{about}: {tag:?}"
            );
            for attribute in ["src", "srcset", "xlink:href", "action", "style", "onload", "onclick"] {
                assert_eq!(tag.get(attribute), None, "{about}: {tag:?}");
            }
            assert!(tag.get("href").is_none_or(|href| href.starts_with('#')), "{about}: {tag:?}");
            assert!(
                tag.name != "style" || !(tag.text.contains("url(") || tag.text.contains("@import")),
                "{about}"
            );
        }
        assert!(
            html.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""),
            "{about}: a policy says so too"
        );
    }
}

#[test]
fn every_picture_is_read_out_and_every_frame_that_scrolls_can_be_reached() {
    for (about, report) in all() {
        let html = page(&report);
        let seen = tags(&html);
        for (at, tag) in seen.iter().enumerate() {
            match (tag.name, tag.get("class")) {
                ("svg", Some("swatch")) => assert_eq!(tag.get("aria-hidden"), Some("true"), "{about}"),
                ("svg", _) => {
                    assert_eq!(tag.get("role"), Some("img"), "{about}: {tag:?}");
                    assert_eq!([seen[at + 1].name, seen[at + 2].name], ["title", "desc"], "{about}: {tag:?}");
                    assert!(
                        !seen[at + 1].text.is_empty() && !seen[at + 2].text.is_empty(),
                        "{about}: {tag:?}"
                    );
                }
                ("div", Some("scroll")) => {
                    let is_named = tag.get("aria-labelledby").or(tag.get("aria-label")).is_some();
                    assert!(is_named && tag.get("tabindex") == Some("0"), "{about}: {tag:?}");
                }
                ("th", _) => assert!(matches!(tag.get("scope"), Some("col" | "row")), "{about}: {tag:?}"),
                ("table", _) => assert_eq!(seen[at + 1].name, "caption", "{about}: {tag:?}"),
                ("input", _) => assert_eq!(seen[at - 1].name, "label", "{about}: {tag:?}"),
                _ => {}
            }
        }
    }
}

const LABEL: &str = "not compute-fair";

#[test]
fn every_plot_and_table_of_an_unfair_comparison_is_labelled() {
    let html = page(&common::compared(false));
    for name in ["caption", "figcaption"] {
        let texts: Vec<String> =
            tags(&html).iter().filter(|tag| tag.name == name).map(|tag| tag.words(name)).collect();
        assert!(texts.len() > 8, "{} of {name}", texts.len());
        for text in texts {
            assert!(text.contains(LABEL) && text.contains("flops.forward +11.0%"), "{name}: {text}");
        }
    }
    // Where both arms are in one plot, it is in the plot itself.
    let plots: Vec<&str> = html.split("<svg class=\"plot\"").skip(1).collect();
    let of_both = plots.iter().filter(|plot| {
        ["labelledby=\"val-", "labelledby=\"train-", "labelledby=\"pairs-"].iter().any(|id| plot.contains(id))
    });
    let labelled = of_both.map(|plot| plot.split("</svg>").next().unwrap().contains(LABEL));
    assert_eq!(labelled.collect::<Vec<_>>(), [true; 9]);
}

#[test]
fn a_fair_comparison_has_no_label() {
    assert!(!page(&common::compared(true)).contains(LABEL));
}

#[test]
fn runs_that_merely_stand_side_by_side_are_held_against_the_first() {
    let mut report = common::compared(true);
    report.pairs.clear();
    assert!(!page(&report).contains(LABEL), "six experts a token each");
    report.arms[1].spec = Some(common::spec("wide", &common::CHAIN.replace("k=2", "k=3"), 200, 1));
    let html = page(&report);
    let label = html.split("not compute-fair: flops.forward +").nth(1).unwrap();
    let percent: f64 = label.split('%').next().unwrap().parse().unwrap();
    assert!(percent > 1.0, "{percent}");
}

#[test]
fn seeds_are_a_band_and_one_run_is_none() {
    let band = |report: &Report| {
        let html = page(report);
        let plot = html
            .split("aria-labelledby=\"val-steps")
            .nth(1)
            .unwrap()
            .split("</svg>")
            .next()
            .unwrap()
            .to_owned();
        plot.matches("class=\"band\"").count()
    };
    assert_eq!(band(&common::compared(true)), 2);
    assert_eq!(band(&common::single()), 0);
}

/// The same report with other words for everything that comes from files.
fn named(word: &str) -> Report {
    let mut report = common::compared(false);
    for arm in &mut report.arms {
        arm.name = format!("{word}{}", arm.name);
        if let Some(spec) = &mut arm.spec {
            spec.text = word.repeat(3);
        }
        for run in &mut arm.runs {
            run.name = format!("{word}{}", run.name);
            let card = run.card.as_mut().unwrap();
            card.setting = word.into();
            card.unmoved = vec![word.into()];
            for row in &mut card.rows {
                *row = CardRow {
                    figure: word.into(),
                    closed_form: word.into(),
                    captured: word.into(),
                    measured: word.into(),
                    verdict: word.into(),
                    fails: true,
                };
            }
            for budget in &mut card.budgets {
                *budget =
                    Budget { rule: word.into(), value: word.into(), verdict: word.into(), fails: false };
            }
            for tensor in &mut run.moved.as_mut().unwrap().tensors {
                tensor.name = format!("{word}{}", tensor.name);
            }
            for sample in run.samples.as_mut().unwrap() {
                *sample = Sample { prompt: format!("{word}{}", sample.prompt), text: word.into() };
            }
        }
    }
    for pair in &mut report.pairs {
        (pair.a, pair.b) = (format!("{word}{}", pair.a), format!("{word}{}", pair.b));
        pair.sentence = Some(word.into());
        pair.verdict = Some(Verdict::Other(word.into()));
        pair.differs = vec![word.into()];
        pair.at_equal.iter_mut().for_each(|at| at.axis = word.into());
    }
    report.version = word.into();
    report
}

#[test]
fn what_comes_from_files_is_text_and_nothing_else() {
    let shape = |html: &str| -> Vec<(String, usize)> {
        tags(html).iter().map(|tag| (tag.name.to_owned(), tag.attributes.matches('"').count())).collect()
    };
    let harmless = page(&named("word"));
    for evil in [
        "</title></style></pre><script>alert(1)</script>",
        "\" onmouseover=\"alert(1)",
        "' onfocus='x",
        "<!-- ",
        "]]><svg onload=x>",
        "&lt;b&gt;&#x3c;i&#x3e;",
        "\u{0}\u{1b}[31m\u{202e}",
    ] {
        let html = page(&named(evil));
        assert!(shape(&html) == shape(&harmless), "{evil}");
        assert!(!html.contains("alert(1)</script>") && !html.contains("<!-- "), "{evil}");
        assert!(!html.contains('\u{0}') && !html.contains('\u{202e}'), "{evil}");
    }
}

#[test]
fn twenty_long_runs_of_large_models_fit() {
    let mut report = common::twenty();
    for (number, arm) in report.arms.iter_mut().enumerate() {
        let run = common::run(&format!("runs/long-{number}"), 100_000, 0.3, number as u64);
        let mut run = common::with_end(common::with_experts(run, 12, 4, 64, 16), 12, 64);
        run.samples.as_mut().unwrap().iter_mut().for_each(|sample| sample.text = "word & word ".repeat(5000));
        arm.runs = vec![run];
        arm.spec.as_mut().unwrap().text = "layers = 12 // <much> is said\n".repeat(3000);
        arm.name = format!("{} {}", arm.name, "of a long name ".repeat(40));
    }
    let html = page(&report);
    assert!(html.len() <= LARGEST, "{} bytes", html.len());
    tags(&html);
    // It is a page still: each run has its lines and its blocks.
    for number in 0..20 {
        assert_eq!(html.matches(&format!("id=\"show-{number}\"")).count(), 1);
    }
    for section in ["losses", "experts", "follows", "moved", "budgets", "differences", "drawings", "samples"]
    {
        assert!(html.contains(&format!("<section id=\"{section}\"")), "{section}");
    }
}

#[test]
fn many_runs_fit_too() {
    let mut report = common::twenty();
    let arm = report.arms[0].clone();
    report.arms = (0..300).map(|number| Arm { name: format!("arm {number}"), ..arm.clone() }).collect();
    let html = page(&report);
    assert!(html.len() <= LARGEST, "{} bytes", html.len());
    assert!(html.contains("more runs are not"), "what is left out is said");
}

#[test]
fn records_of_any_size_fit() {
    let mut report = common::compared(false);
    for run in report.arms.iter_mut().flat_map(|arm| &mut arm.runs) {
        let counts = vec![7; 16_384];
        let at = |layer: usize, iteration: usize| Load {
            step: 200,
            layer,
            pass: 0,
            iteration,
            counts: counts.clone(),
        };
        run.loads = Some((0..60).flat_map(|layer| [at(layer, 0), at(layer, 50 + layer)]).collect());
        let name = |number: usize| format!("tensor_{number}.{}", "long".repeat(30));
        let distance = |number| Distance { name: name(number), start: 1.0, change: 0.5 };
        run.moved = Some(Moved { step: 200, tensors: (0..20_000).map(distance).collect() });
        let card = run.card.as_mut().unwrap();
        card.rows = vec![card.rows[0].clone(); 5000];
        card.budgets = vec![card.budgets[0].clone(); 5000];
        card.unmoved = (0..5000).map(name).collect();
        run.samples = Some(vec![Sample { prompt: "p".repeat(100_000), text: "<".repeat(100_000) }; 500]);
    }
    report.pairs = vec![report.pairs[0].clone(); 2000];
    let html = page(&report);
    assert!(html.len() <= LARGEST, "{} bytes", html.len());
    tags(&html);
}

#[test]
fn one_report_is_one_page() {
    let counts = |html: &str| {
        let mut counts = BTreeMap::new();
        tags(html).iter().for_each(|tag| *counts.entry(tag.name.to_owned()).or_insert(0) += 1);
        counts
    };
    let (first, second) = (page(&common::compared(false)), page(&common::compared(false)));
    assert!(first == second);
    assert_eq!(counts(&first)["main"], 1);
}
