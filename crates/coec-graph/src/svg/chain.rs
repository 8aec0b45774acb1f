//! A chain of experts: one iteration, and the loop around it.

use coec_ir::{ChainNorm, Coe, Gate, Joined, Output};

use super::boxes::{BOX, NORM, boxed};
use super::canvas::{Anchor, Area, Canvas, OPERATOR};
use super::label;
use crate::words::{self, Words};

/// Where the chain begins: its start, before any iteration.
const START: i32 = 182;
/// Where an iteration takes its state.
const INPUT: i32 = 218;
/// Where routers and experts take theirs, behind a norm if there is one.
const READ: i32 = 306;
/// The sum of the routed and the shared experts.
const MIX: i32 = 618;
/// The sum with what is carried.
const CARRY: i32 = 650;
/// Where an iteration gives its state.
const OUTPUT: i32 = 678;
/// The difference from the start.
const CHANGE: i32 = 716;
/// The body of the loop.
const BODY: (i32, i32) = (200, 696);

/// Where a sublayer meets the stream.
pub struct Ends {
    /// The height at which it branches off.
    pub branch: i32,
    /// The column of the first thing behind the branch.
    pub first: i32,
    /// Whether that is a norm, rather than the start of the chain itself.
    pub is_normed: bool,
    /// Where its result leaves it; `None` where that is drawn already.
    pub leaves: Option<(i32, i32)>,
    /// The height at which it comes back.
    pub back: i32,
    /// Whether something is kept and added again.
    pub keeps: bool,
}

/// Heights of what one iteration is made of.
struct Rows {
    /// The way back to the next iteration, if there is more than one.
    again: Option<i32>,
    router: Area,
    experts: Area,
    shared: Option<Area>,
    /// Below everything in the iteration.
    bottom: i32,
}

/// Draws a chain from a height downwards.
pub fn draw(canvas: &mut Canvas, b: &Coe, dim: usize, top: i32) -> Ends {
    let wiring = b.wiring();
    let (router, experts, shared) = (words::router(b), words::experts(b, dim), words::shared(b));
    let rows = Rows::of(b, [Some(&router), Some(&experts), shared.as_ref()], top);
    let (_, middle) = rows.experts.middle();
    let joined = wiring.carry.joined();
    let keeps_state = joined == Joined::State;
    let keeps_start = joined == Joined::Start;
    let under = rows.bottom + 18;
    let inside = if keeps_state || keeps_start { under } else { rows.bottom };
    if let Some(again) = rows.again {
        let body =
            Area { x: BODY.0, y: again - 14, width: BODY.1 - BODY.0, height: inside + 12 - again + 14 };
        canvas.rect(body, 8, "body");
    }
    let changes = wiring.output == Output::StreamPlusChange;
    let lowest = inside + if rows.again.is_some() { 12 } else { 0 };
    let below = if changes { lowest + 12 } else { lowest };

    // From the stream to the start.
    let first = if wiring.starts_normed {
        let norm = NORM.moved(0, middle - NORM.height / 2);
        canvas.line(&[(norm.right(), middle), (START, middle)], "flow");
        boxed(canvas, norm, "Norm", &[]);
        norm.x
    } else {
        START
    };
    let start = if wiring.starts_normed { "z₀" } else { "x₀" };
    canvas.text((START - 5, middle - 8), Anchor::End, "sign", start);

    // What is kept for later.
    if keeps_state {
        canvas.arrow(&[(INPUT, middle), (INPUT, under), (CARRY, under), (CARRY, middle + OPERATOR)], "kept");
    }
    if keeps_start {
        canvas.arrow(&[(START, middle), (START, under), (CARRY, under), (CARRY, middle + OPERATOR)], "kept");
    }
    if changes {
        canvas
            .arrow(&[(START, middle), (START, below), (CHANGE, below), (CHANGE, middle + OPERATOR)], "kept");
    }

    // Through one iteration.
    canvas.line(&[(START, middle), (INPUT, middle)], "flow");
    if let Some(how) = words::chain_norm(b) {
        let norm = NORM.moved(236 - NORM.x, middle - NORM.height / 2);
        canvas.line(&[(INPUT, middle), (READ, middle)], "flow");
        stacked(canvas, norm, if b.norm == ChainNorm::Each { b.iter } else { 1 });
        boxed(canvas, norm, "Norm", &[]);
        canvas.text((norm.middle().0, norm.bottom() + 14), Anchor::Middle, "small muted", how);
    } else {
        canvas.line(&[(INPUT, middle), (READ, middle)], "flow");
    }
    canvas.arrow(&[(READ, middle), (rows.experts.x, middle)], "flow");
    let mixes = rows.shared.is_some();
    let after = if mixes { MIX + OPERATOR } else { rows.experts.right() };
    if mixes {
        canvas.arrow(&[(rows.experts.right(), middle), (MIX - OPERATOR, middle)], "flow");
    }
    if joined == Joined::Nothing {
        canvas.line(&[(after, middle), (OUTPUT, middle)], "flow");
    } else {
        canvas.arrow(&[(after, middle), (CARRY - OPERATOR, middle)], "flow");
        canvas.line(&[(CARRY + OPERATOR, middle), (OUTPUT, middle)], "flow");
        canvas.operator((CARRY, middle), "kept", false);
    }

    // Again, with what came out.
    if let Some(again) = rows.again {
        canvas.arrow(&[(OUTPUT, middle), (OUTPUT, again), (INPUT, again), (INPUT, middle - 2)], "loop");
        let text = format!("{} iterations", b.iter);
        let width = label::width(&text, 13) + 24;
        let ((left, right), height) = (BOX, 18);
        let plate = Area { x: (left + right - width) / 2, y: again - height / 2, width, height };
        // Off the middle where the selection crosses.
        let plate = if is_frozen(b) { plate.moved(-84, 0) } else { plate };
        canvas.rect(plate, 9, "plate");
        canvas.text((plate.middle().0, again + 4), Anchor::Middle, "loops", &text);
    }

    // The router, and what it selects.
    let (column, _) = rows.router.middle();
    let source = if is_frozen(b) && words::chain_norm(b).is_none() { START } else { READ };
    let reads = [(source, middle), (source, rows.router.middle().1), (rows.router.x, rows.router.middle().1)];
    if is_frozen(b) {
        if let Some(again) = rows.again.filter(|_| source == READ) {
            canvas.line(&[(READ, again + 8), (READ, again - 8)], "halo");
        }
        canvas.arrow(&reads, "flow");
        if let Some(again) = rows.again {
            canvas.line(&[(column, again - 8), (column, again + 8)], "halo");
        }
    } else {
        canvas.arrow(&reads, "flow");
    }
    canvas.arrow(&[(column, rows.router.bottom()), (column, rows.experts.y)], "flow");
    let selected = words::selected(b);
    let note = if is_frozen(b) { format!("{selected}, kept for all") } else { selected };
    canvas.text((column + 10, rows.experts.y - 8), Anchor::Start, "small", &note);
    stacked(canvas, rows.router, b.routers());
    block(canvas, rows.router, &router);
    block(canvas, rows.experts, &experts);

    if let (Some(area), Some(words)) = (rows.shared, &shared) {
        let (_, y) = area.middle();
        canvas.arrow(&[(READ, middle), (READ, y), (area.x, y)], "flow");
        canvas.arrow(&[(area.right(), y), (MIX, y), (MIX, middle + OPERATOR)], "flow");
        canvas.operator((MIX, middle), "flow", false);
        block(canvas, area, words);
    }

    // Dots last, upon the lines that part there.
    if keeps_start || changes || (is_frozen(b) && source == START) {
        canvas.dot((START, middle), if keeps_start || changes { "kept" } else { "flow" });
    }
    if keeps_state {
        canvas.dot((INPUT, middle), "kept");
    }
    if !is_frozen(b) || source == READ || mixes {
        canvas.dot((READ, middle), "flow");
    }
    if rows.again.is_some() {
        canvas.dot((OUTPUT, middle), "loop");
    }

    let leaves = if changes {
        canvas.arrow(&[(OUTPUT, middle), (CHANGE - OPERATOR, middle)], "flow");
        canvas.operator((CHANGE, middle), "kept", true);
        (CHANGE + OPERATOR, middle)
    } else {
        (OUTPUT, middle)
    };
    Ends {
        branch: middle,
        first,
        is_normed: wiring.starts_normed,
        leaves: Some(leaves),
        back: below + 22,
        keeps: keeps_state || keeps_start || changes,
    }
}

/// Whether the router stands outside the loop.
fn is_frozen(b: &Coe) -> bool {
    b.gate == Gate::Frozen && b.iter > 1
}

impl Rows {
    fn of(b: &Coe, [router, experts, shared]: [Option<&Words>; 3], top: i32) -> Self {
        let sized = |words: Option<&Words>, y: i32| {
            let lines = words.map_or(0, |words| lines(words).len() as i32);
            Area { x: BOX.0, y, width: BOX.1 - BOX.0, height: 28 + 16 * lines }
        };
        let has_loop = b.iter > 1;
        let is_outside = is_frozen(b);
        let above = if has_loop && !is_outside { 40 } else { 0 };
        let router = sized(router, top + above);
        let under_router = router.bottom() + if is_outside { 58 } else { 30 };
        let again = has_loop.then(|| if is_outside { router.bottom() + 30 } else { top + 14 });
        let experts = sized(experts, under_router);
        let shared = shared.map(|words| sized(Some(words), experts.bottom() + 14));
        let bottom = shared.map_or(experts.bottom(), Area::bottom);
        Self { again, router, experts, shared, bottom }
    }
}

fn lines(words: &Words) -> Vec<String> {
    label::lines(&words.details, 12, BOX.1 - BOX.0 - 20)
}

fn block(canvas: &mut Canvas, area: Area, words: &Words) {
    boxed(canvas, area, &words.title, &lines(words));
}

/// Edges of others of the same kind behind a box.
fn stacked(canvas: &mut Canvas, area: Area, count: usize) {
    for behind in (1..count.min(3) as i32).rev() {
        canvas.rect(area.moved(4 * behind, -4 * behind), 6, "box");
    }
}
