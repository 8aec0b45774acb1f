//! `coec sweep`: the runs of a `sweep { }` block, one row each.

mod rows;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use coec_lang::load_one;

use self::rows::{Row, State, row};
use crate::{
    arguments,
    cli::SweepArgs,
    disk::Disk,
    experiments::{files, interrupt::Interrupt, jobs::Ended, progress::Progress, run::Run},
    failure::{Done, Failure},
    ranks,
    render::{self, json::print_json},
};

/// The rows, in the sweep's directory.
const JSON: &str = "sweep.json";
const CSV: &str = "sweep.csv";

pub fn run(args: &SweepArgs) -> Result<Done, Failure> {
    ranks::alone("sweep")?;
    let path = arguments::spec(&args.spec)?;
    let sets = args.runs.sets()?;
    let spec = load_one(&path, &sets, &Disk)?;
    let Some(points) = spec.sweep()? else {
        return Err(Failure::input(
            "coec::sweep::none",
            format!("{} has no sweep", spec.model.name),
            "write which fields go through which values: `sweep { ffn.k = [2, 4, 8]  seeds = 3 }`",
        ));
    };
    let dir = args.out.clone().unwrap_or_else(|| PathBuf::from("sweeps").join(&spec.model.name));
    let mut rows: Vec<Row> = Vec::with_capacity(points.len());
    for (number, point) in (1..).zip(&points) {
        rows.push(row(number, point, &path, &sets, &dir)?);
    }
    let quiet = args.json.json;
    if args.check {
        show(&rows, quiet);
        return Ok(Done::Well);
    }
    begin(&rows, &dir)?;
    let runs: Vec<Run> = rows.iter().filter_map(|row| Some(row.planned()?.run.clone())).collect();
    let jobs = args.runs.jobs(true);
    if !quiet {
        let left_out = rows.len() - runs.len();
        let left_out = if left_out == 0 { String::new() } else { format!(", {left_out} are infeasible") };
        render::line(&format!(
            "{}: {} runs{left_out}; {} at once, {} threads each, in {}",
            spec.model.name,
            runs.len(),
            jobs.side_by_side,
            jobs.threads,
            dir.display()
        ));
    }
    let interrupt = Interrupt::listen()?;
    let ended = jobs.train(&runs, &interrupt, &mut Progress::new(quiet))?;
    if let Ended::Done(failures) = &ended {
        for (failed, failure) in failures {
            let planned = rows.iter_mut().filter_map(|row| match &mut row.state {
                State::Feasible(planned) => Some(planned),
                State::Infeasible(_) => None,
            });
            planned.filter(|planned| planned.run.dir == *failed).for_each(|planned| {
                planned.failure = Some(failure.one_line());
            });
        }
    }
    write(&dir.join(CSV), &table::csv(&rows))?;
    write(&dir.join(JSON), &format!("{:#}\n", table::document(&rows)))?;
    if let Ended::Interrupted(signal) = ended {
        if !quiet {
            render::line(&format!("stopped, and saved in {}; the same command goes on", dir.display()));
        }
        return Ok(Done::Interrupted(signal));
    }
    show(&rows, quiet);
    if !quiet {
        render::line(&format!("wrote {} and {}", dir.join(CSV).display(), dir.join(JSON).display()));
    }
    Ok(Done::Well)
}

fn show(rows: &[Row], quiet: bool) {
    if quiet {
        return print_json(&table::document(rows));
    }
    table::lines(rows).iter().for_each(|line| render::line(line));
    for row in rows {
        if let Some(problem) = row.problem() {
            let first = problem.lines().next().unwrap_or_default();
            render::line(&format!("row {}: {first}", row.number));
        }
    }
}

/// Writes the spec of each run, or finds it as it was.
///
/// # Errors
///
/// The runs of another sweep; what the system says.
fn begin(rows: &[Row], dir: &Path) -> Result<(), Failure> {
    for row in rows {
        let Some(planned) = row.planned() else { continue };
        match fs::read_to_string(&planned.run.spec) {
            Ok(text) if text == planned.text => {}
            Ok(_) => {
                return Err(Failure::input(
                    "coec::sweep::other",
                    format!("{} is not what row {} is now", planned.run.spec.display(), row.number),
                    "name another directory with --out, or give the spec and the arguments it was begun with",
                ));
            }
            Err(_) => write(&planned.run.spec, &planned.text)?,
        }
    }
    fs::create_dir_all(dir).map_err(|error| unwritable(dir, &error))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    files::write(path, text).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::environment(
        "coec::sweep::unwritable",
        format!("cannot write {}: {error}", path.display()),
        "check the folder, its permissions and the room on the disk",
    )
}
