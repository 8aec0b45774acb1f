//! The page in a real browser: no script error, nothing loaded, no text over another, at both widths and in
//! both schemes.
//!
//! Chromium is found by `COEC_CHROMIUM` or by its usual names. Without one these tests say that they were
//! skipped; where `COEC_NEEDS_BROWSER` is set they fail.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use coec_report::page;
use coec_report::values::Report;

/// A browser that can be run without a screen.
struct Browser {
    program: String,
    folder: PathBuf,
}

impl Browser {
    /// The one that is installed; `None`, and a word about it, where there is none.
    fn find(test: &str) -> Option<Self> {
        let asked = std::env::var("COEC_CHROMIUM").ok();
        let names = ["chromium", "chromium-headless-shell", "chromium-browser", "google-chrome"];
        let names = asked.into_iter().chain(names.map(String::from));
        let runs = |program: &String| {
            let tried =
                Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            tried.is_ok_and(|status| status.success())
        };
        let Some(program) = names.into_iter().find(runs) else {
            assert!(
                std::env::var_os("COEC_NEEDS_BROWSER").is_none(),
                "a browser is needed, and there is none"
            );
            eprintln!(
                "SKIPPED: {test}: no chromium is installed (apt-get install --no-install-recommends chromium)"
            );
            return None;
        };
        let folder = std::env::temp_dir().join(format!("coec-report-{}-{test}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Some(Self { program, folder })
    }

    /// What a page has become once it is loaded, and what was said on its console.
    fn show(&self, html: &str, name: &str, width: u32, dark: bool) -> (String, String) {
        let path = self.folder.join(format!("{name}.html"));
        fs::write(&path, html).unwrap();
        let scheme = if dark { "0" } else { "1" };
        let mut command = Command::new(&self.program);
        command
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args(["--dump-dom", "--enable-logging=stderr", "--virtual-time-budget=10000"])
            .arg(format!("--user-data-dir={}", self.folder.join("profile").display()))
            .arg(format!("--window-size={width},900"))
            .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
            .arg(format!("file://{}", path.display()));
        let output = finished(command, Duration::from_secs(120));
        (String::from_utf8_lossy(&output.0).into_owned(), String::from_utf8_lossy(&output.1).into_owned())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What a command prints, which must end in time.
fn finished(mut command: Command, time: Duration) -> (Vec<u8>, Vec<u8>) {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    fn drained<R: std::io::Read + Send + 'static>(mut from: R) -> std::thread::JoinHandle<Vec<u8>> {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = from.read_to_end(&mut bytes);
            bytes
        })
    }
    let output = drained(child.stdout.take().unwrap());
    let errors = drained(child.stderr.take().unwrap());
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > time {
            let _ = child.kill();
            panic!("the browser did not end within {time:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    (output.join().unwrap(), errors.join().unwrap())
}

/// The page with a script that looks at it: unfolded, in a frame as wide as it is to be, since windows
/// may have a least width. The page itself allows no script, so its policy goes.
fn watched(page: &str, width: u32) -> String {
    let policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">";
    assert!(page.contains(policy), "the page has its policy");
    let page = page.replace(policy, "");
    let frame = page.replace('&', "&amp;").replace('"', "&quot;");
    let script = include_str!("look.js");
    format!(
        "<!doctype html><meta charset=utf-8><style>*{{margin:0}}iframe{{border:0;width:{width}px;height:900px}}\
         </style><iframe srcdoc=\"{frame}\"></iframe><pre id=found>not run</pre><script>{script}</script>"
    )
}

/// What the script found: a line for each fault, the first line about the page.
fn found(dom: &str) -> Vec<String> {
    let text = dom.split("<pre id=\"found\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let text = text.unwrap_or_else(|| panic!("the script left nothing: {}", &dom[..dom.len().min(500)]));
    text.lines().map(str::to_owned).collect()
}

/// Everything that is said on the console: an error of a script, something refused by the policy.
fn console(errors: &str) -> Vec<&str> {
    errors.lines().filter(|line| line.contains("CONSOLE")).collect()
}

fn holds(browser: &Browser, name: &str, report: &Report) {
    let page = page(report);
    for dark in [false, true] {
        let (_, errors) = browser.show(&page, &format!("{name}-{dark}"), 1280, dark);
        assert_eq!(console(&errors), [""; 0], "{name}: the console is silent");
        for width in [1280, 390] {
            let at = format!("{name}-{width}-{dark}");
            let (dom, errors) = browser.show(&watched(&page, width), &at, 1400, dark);
            assert_eq!(console(&errors), [""; 0], "{at}: the script that looks has no error");
            let found = found(&dom);
            let texts: usize = found[0].split(' ').next().unwrap().parse().unwrap();
            let about = format!("{texts} texts, {width} wide, {}", if dark { "dark" } else { "light" });
            assert_eq!(found[0], about, "{at}: the page is shown as asked for");
            assert!(texts > 100, "{at}: {texts} texts");
            assert_eq!(found[1..], [""; 0], "{at}");
        }
    }
}

#[test]
fn one_run_is_shown_without_faults() {
    let Some(browser) = Browser::find("single") else { return };
    holds(&browser, "single", &common::single());
}

#[test]
fn a_comparison_that_is_not_fair_is_shown_without_faults() {
    let Some(browser) = Browser::find("compared") else { return };
    holds(&browser, "compared", &common::compared(false));
}

#[test]
fn twenty_runs_are_shown_without_faults() {
    let Some(browser) = Browser::find("twenty") else { return };
    holds(&browser, "twenty", &common::twenty());
}

/// What looks at the pages would see a fault.
#[test]
fn text_over_text_and_errors_are_found() {
    let Some(browser) = Browser::find("faults") else { return };
    let page = page(&common::single());
    let over =
        page.replace("<footer>", "<footer><p style=\"position:relative;top:30px\">Something over it.</p>");
    let (dom, _) = browser.show(&watched(&over, 390), "over", 1400, false);
    let faults = found(&dom);
    assert!(faults[1..].iter().any(|fault| fault.contains("Something over it.")), "{faults:?}");
    let wide = page.replace("<footer>", "<footer><p style=\"width:500px\">Wide.</p>");
    let (dom, _) = browser.show(&watched(&wide, 390), "wide", 1400, false);
    assert!(found(&dom).iter().any(|fault| fault.starts_with("the page is")), "{:?}", found(&dom));
    let evil =
        page.replace("<footer>", "<footer><img src=\"http://127.0.0.1:9/x\"><script>alert(1)</script>");
    let (_, errors) = browser.show(&evil, "evil", 1280, false);
    assert!(console(&errors).len() >= 2, "what is not allowed is refused, and heard of: {errors}");
}
