//! `coec fit` from the command line.

mod common;

use std::fs;

use common::{Shell, TINY};

fn shell() -> Shell {
    let shell = Shell::new();
    shell.write("chain.coe", TINY.replace("model tiny", "model chain"));
    let moe = "ffn=moe(k=4, experts=8, hidden=32)";
    shell.write(
        "moe.coe",
        TINY.replace("model tiny", "model moe")
            .replace(&TINY[TINY.find("ffn=").unwrap()..TINY.find("\n}").unwrap()], moe),
    );
    shell
}

const FIT: [&str; 8] =
    ["fit", "chain.coe", "--free", "ffn.hidden", "--match", "flops.forward=moe.coe", "--tolerance", "3%"];

#[test]
fn the_spec_that_is_written_holds_the_pair() {
    let shell = shell();
    let found = shell.json(&[&FIT[..], &["--out", "fair.coe", "--json"]].concat());
    let value = found["solution"]["ffn.hidden"].as_u64().unwrap();
    let written = shell.read("fair.coe");
    assert!(written.contains(&format!("hidden={value}, residual=delta")), "{written}");
    assert!(
        written.contains("budget {\n    flops.forward == flops.forward(\"moe.coe\") +- 3%\n}"),
        "{written}"
    );
    assert!(written.starts_with(shell.read("chain.coe").split("hidden=8").next().unwrap()));
    shell.ok(&["check", "fair.coe"]);
    let figure = |spec: &str| {
        let cost = shell.json(&["cost", spec, "--json"]);
        cost["models"][0]["figures"]["flops.forward"].as_u64().unwrap()
    };
    assert_eq!(found["figures"]["flops.forward"]["value"], figure("fair.coe"));
    assert_eq!(found["figures"]["flops.forward"]["others"][0]["value"], figure("moe.coe"));
    shell.ok(&["compare", "fair.coe", "moe.coe", "--fair", "flops.forward=3%", "--check"]);
    let shown = shell.ok(&FIT);
    assert!(shown.starts_with(&format!("ffn.hidden = {value}\n")), "{shown}");
    assert!(shown.contains("    flops.forward == flops.forward(\"moe.coe\") +- 3%"), "{shown}");
}

#[test]
fn paths_lead_to_the_same_files_from_another_folder() {
    let shell = shell();
    fs::create_dir_all(shell.path().join("specs/deep")).unwrap();
    shell.write("specs/b.coe", "model b extends \"../chain.coe\" { }\ntrain { data=text(\"../x.txt\") }");
    shell.write("x.txt", "text");
    let fit = [
        "fit",
        "specs/b.coe",
        "--free",
        "ffn.hidden",
        "--match",
        "flops.forward=moe.coe",
        "--tolerance",
        "3%",
        "--out",
    ];
    for (out, from) in [("specs/deep/o.coe", "../../"), ("o.coe", ""), ("specs/o.coe", "../")] {
        shell.ok(&[&fit[..], &[out]].concat());
        let written = shell.read(out);
        for path in ["chain.coe", "moe.coe", "x.txt"] {
            assert!(written.contains(&format!("\"{from}{path}\"")), "{out}: {written}");
        }
        shell.ok(&["check", out]);
    }
}

#[test]
fn what_is_not_near_enough_says_what_is_nearest_and_exits_1() {
    let shell = shell();
    let fit =
        ["fit", "chain.coe", "--free", "layers", "--match", "flops.forward=moe.coe", "--tolerance", "0.01%"];
    let output = shell.coec(&[&fit[..], &["--out", "o.coe"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.starts_with("no value is within 0.01%; the nearest:\n    layers = "), "{shown}");
    assert!(!shell.path().join("o.coe").exists());
    let output = shell.coec(&[&fit[..], &["--json"]].concat());
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(found["solution"].is_null());
    let side = |side: &str| found["nearest"][side]["solution"]["layers"].as_u64().unwrap();
    assert_eq!(side("above"), side("below") + 1);
}

#[test]
fn either_side_is_standard_input() {
    let shell = shell();
    let plain = shell.json(&[&FIT[..], &["--json"]].concat());
    let mut args = FIT;
    args[1] = "-";
    let own = shell.piped_ok(&[&args[..], &["--out", "o.coe", "--json"]].concat(), &shell.read("chain.coe"));
    let own: serde_json::Value = serde_json::from_str(&own).unwrap();
    assert_eq!(own["solution"], plain["solution"]);
    let mut args = FIT;
    args[5] = "flops.forward=-";
    let other = shell.piped_ok(&[&args[..], &["--out", "p.coe"]].concat(), &shell.read("moe.coe"));
    assert!(other.starts_with("ffn.hidden = "), "{other}");
    // What is gone is held to as the number it was.
    let target = plain["matched"][0]["target"].as_u64().unwrap();
    assert!(
        shell.read("p.coe").contains(&format!("flops.forward == {target} +- 3%")),
        "{}",
        shell.read("p.coe")
    );
    for spec in ["o.coe", "p.coe"] {
        shell.ok(&["check", spec]);
    }
}
