//! The directory of a run, read while another process writes it.

use std::path::Path;
use std::time::{Instant, SystemTime};

use coec_ir::{Figure, cost::Setting};
use coec_lang::{Report, Spec, check, load_one};
use coec_train::{
    ExpertLine,
    report::{ReportCard, figure},
    run_dir::{Holder, Metrics, News, RunDir, RunError, RunFile, Tail, commit::Latest},
};

use crate::{
    arguments::path_of,
    disk::Disk,
    judge::judged_so_far,
    story::{Saved, Standing, Story},
};

/// Seconds between two looks at what seldom changes.
const SELDOM: f64 = 1.0;

/// Seconds without a line after which a run that nobody holds is left.
const QUIET: f64 = 3.0;

/// The same where the system does not say who holds it.
const VERY_QUIET: f64 = 600.0;

/// Reads along. Nothing is written, and no lock is touched.
pub struct Follower {
    pub run: RunDir,
    pub story: Story,
    /// The card, once there is one of the last step.
    pub card: Option<ReportCard>,
    metrics: Tail<Metrics>,
    experts: Tail<ExpertLine>,
    declared: Option<Declared>,
    latest: Option<Latest>,
    clock: Instant,
    /// When it last looked at what seldom changes.
    looked: Option<f64>,
}

/// What the spec of the run says.
struct Declared {
    /// When it was written.
    at: Option<SystemTime>,
    spec: Spec,
    report: Report,
    flops_train: f64,
    /// Of the whole run.
    steps: u64,
}

impl Follower {
    /// # Errors
    ///
    /// No directory of a run, or one without a spec.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let run = RunDir::begun(path)?;
        let mut follower = Self {
            story: Story::begun(path.display().to_string(), 0),
            card: None,
            metrics: run.follow_metrics(),
            experts: run.follow_experts(),
            declared: None,
            latest: None,
            clock: Instant::now(),
            looked: None,
            run,
        };
        follower.look_at_spec();
        Ok(follower)
    }

    /// Seconds on its clock.
    pub fn now(&self) -> f64 {
        self.clock.elapsed().as_secs_f64()
    }

    /// Reads what is new, and tells `see` what is new in the metrics; whether anything is.
    ///
    /// # Errors
    ///
    /// A log that cannot be read, or is none.
    pub fn look(&mut self, see: &mut dyn FnMut(&News<Metrics>)) -> Result<bool, RunError> {
        let now = self.now();
        let live = self.looked.is_some().then_some(now);
        let (story, mut is_new) = (&mut self.story, false);
        self.metrics.read(&mut |news| {
            is_new = true;
            see(&news);
            match news {
                News::Anew => story.forget_steps(),
                News::Line(line) => story.step(line, live),
            }
        })?;
        self.experts.read(&mut |news| {
            is_new = true;
            match news {
                News::Anew => story.forget_experts(),
                News::Line(line) => story.experts(line),
            }
        })?;
        if self.looked.is_none_or(|looked| now - looked >= SELDOM) {
            self.looked = Some(now);
            is_new |= self.look_around(now);
        }
        Ok(is_new)
    }

    /// Reads what seldom changes; whether the run stands otherwise than before.
    fn look_around(&mut self, now: f64) -> bool {
        self.look_at_spec();
        self.latest = self.run.commits().latest(self.latest.as_ref());
        let done = self.story.done() as usize;
        let card: Option<ReportCard> =
            self.run.read(RunFile::Budget).ok().and_then(|text| serde_json::from_str(&text).ok());
        self.card = card.filter(|card| card.steps == done);
        let standing = self.standing();
        let story = &mut self.story;
        let before = std::mem::replace(&mut story.standing, standing);
        let ago = |at: SystemTime| at.elapsed().map_or(0.0, |ago| ago.as_secs_f64());
        story.saved =
            self.latest.as_ref().map(|latest| Saved { step: latest.step, at: now - ago(latest.at) });
        if let Some(declared) = &self.declared {
            let of_peak = |line: &Metrics| line.tokens_per_s * declared.flops_train / line.mfu;
            story.peak = story.latest.as_ref().map(of_peak).filter(|peak| peak.is_finite());
        }
        let so_far = || {
            let Declared { spec, report, .. } = self.declared.as_ref()?;
            let backend =
                self.latest.as_ref().and_then(|latest| latest.backend.as_deref()).unwrap_or_default();
            Some(judged_so_far(spec, report, backend, &|figure| self.story.measured(figure)))
        };
        let of_card = self.card.as_ref().filter(|_| standing != Standing::Going);
        let budgets = of_card.map(|card| card.budgets.clone()).or_else(so_far);
        self.story.budgets = budgets.unwrap_or_default();
        before != standing
    }

    /// Reads the spec where it is new. One that cannot be read leaves the picture without budgets.
    fn look_at_spec(&mut self) {
        let path = self.run.file(RunFile::Spec);
        let at = path.metadata().and_then(|about| about.modified()).ok();
        if self.declared.as_ref().is_some_and(|declared| declared.at == at) {
            return;
        }
        let declared = || {
            let spec = load_one(&path_of(&path).ok()?, &[], &Disk).ok()?;
            let report = check(&spec, &Disk).ok()?;
            let train = spec.train.clone()?;
            let flops_train = figure(&spec.model, Setting::of_training(&train), Figure::FlopsTrain);
            let steps = train.length(&spec.model) as u64;
            Some(Declared { at, report, flops_train, steps, spec })
        };
        if let Some(declared) = declared() {
            self.story.steps = declared.steps;
            self.declared = Some(declared);
        }
    }

    /// How the run stands, by who holds it, what is done, and when something last was.
    fn standing(&self) -> Standing {
        let is_complete = self.declared.as_ref().is_some_and(|declared| declared.steps == self.story.done());
        let over = || if self.card.is_some() { Standing::Stopped } else { Standing::Left };
        match self.run.holder() {
            Holder::Somebody if is_complete && self.card.is_some() => Standing::Done,
            Holder::Somebody => Standing::Going,
            Holder::Nobody | Holder::Unknown if is_complete => Standing::Done,
            Holder::Nobody if self.quiet() < QUIET => Standing::Going,
            Holder::Unknown if self.quiet() < VERY_QUIET => Standing::Going,
            Holder::Nobody | Holder::Unknown => over(),
        }
    }

    /// Seconds since something was written.
    fn quiet(&self) -> f64 {
        let files = [RunFile::Metrics, RunFile::Spec].map(|file| self.run.file(file));
        let ages = files.iter().filter_map(|path| {
            let written = path.metadata().and_then(|about| about.modified()).ok()?;
            Some(written.elapsed().map_or(0.0, |age| age.as_secs_f64()))
        });
        ages.fold(f64::INFINITY, f64::min)
    }
}
