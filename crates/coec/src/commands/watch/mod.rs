//! `coec watch`: a run while it trains, or afterwards, from its files alone.

mod document;
mod follow;
mod lines;
mod screen;

use std::thread;
use std::time::Duration;

use coec_train::run_dir::RunError;

use crate::{
    cli::WatchArgs,
    failure::{Done, Failure},
    picture::{View, picture},
    render::{self, json::print_json, terminal::Stream},
};

use follow::Follower;

/// Between two looks at the files.
const LOOK: Duration = Duration::from_millis(200);

/// Rows of a picture that is printed where there are no rows.
const ROWS: usize = 40;

pub fn run(args: &WatchArgs) -> Result<Done, Failure> {
    let mut follower = opened(args)?;
    follower.look(&mut |_| {})?;
    if args.json.json {
        print_json(&document::document(&follower));
        return Ok(Done::Well);
    }
    if args.once {
        show_once(&follower);
        return Ok(Done::Well);
    }
    match cfg!(unix) && Stream::Output.has_cursor() {
        true => screen::show(follower),
        false => lines::show(opened(args)?, args.wait),
    }
}

/// The run, once there is one if that is waited for.
fn opened(args: &WatchArgs) -> Result<Follower, Failure> {
    let mut has_said = args.json.json;
    loop {
        match Follower::open(&args.run) {
            Err(RunError::NoRun { .. } | RunError::Incomplete { .. }) if args.wait => {
                if !has_said {
                    render::error_line(&format!("waiting for {} to begin", args.run.display()));
                    has_said = true;
                }
                thread::sleep(LOOK);
            }
            opened => return Ok(opened?),
        }
    }
}

/// The picture as it is now.
fn show_once(follower: &Follower) {
    let is_terminal = Stream::Output.is_terminal();
    let (columns, rows) = match is_terminal {
        true => Stream::Output.size(),
        false => (Stream::Output.width(), ROWS + 1),
    };
    let view = View { columns, rows: rows - 1, hint: "", skipped: 0 };
    for line in picture(&follower.story, follower.now(), view) {
        render::line(&line.row(Stream::Output.has_colour()).text);
    }
}
