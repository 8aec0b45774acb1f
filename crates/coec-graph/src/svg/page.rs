//! Where blocks stand on the page, and the stream that joins them.

use coec_ir::{Ffn, Model, Output};

use super::boxes::{BOX, NORM, boxed};
use super::canvas::{Anchor, Area, Canvas, OPERATOR, Picture};
use super::chain::{self, Ends};
use super::label;
use crate::plan::{Kind, Plan, Share};
use crate::words::{self, Words};

const WIDTH: i32 = 800;
/// Left edge of what stands on the page.
const LEFT: i32 = 24;
const RIGHT: i32 = WIDTH - LEFT;
/// The residual stream, in a gutter of its own.
pub const STREAM: i32 = 52;
/// Left edge of a sublayer.
const SECTION: i32 = 84;
/// Where the text of a section begins.
const TEXT: i32 = SECTION + 16;
/// Where shares begin.
const SHARES: i32 = 544;
/// Columns of a bar that is full.
const BAR: i32 = 104;
/// Between blocks.
const GAP: i32 = 24;
/// From the top of a section to its picture.
const HEADING: i32 = 56;

/// What leaves a sublayer turns back to the stream here.
pub const TURN: i32 = 744;

/// The whole picture.
pub fn page(model: &Model, plan: &Plan) -> Picture {
    let mut page = Page { canvas: Canvas::default(), y: 20, total: plan.total, kept: false, loops: false };
    page.heading(model, plan);
    page.table(&words::embedding(model, plan.tied), plan.embedding, None);
    for kind in &plan.kinds {
        page.kind(model, kind);
    }
    page.head(model, plan);
    page.legend();
    let height = page.y + 18;
    // The ground lies under everything, and its height is known last.
    let mut body = Canvas::default();
    body.rect(Area { x: 1, y: 1, width: WIDTH - 2, height: height - 2 }, 12, "ground");
    body.append(page.canvas);
    let title = format!("The model {}", model.name);
    body.finish((WIDTH, height), format!("coec-{}", model.name), title, description(model, plan))
}

/// The picture in words.
fn description(model: &Model, plan: &Plan) -> String {
    let said = |words: &Words, share: Share| {
        let shares = words::shares(share, plan.total);
        format!("{} ({shares}): {}.", words.title, words.details.join(", "))
    };
    let mut parts = vec![format!("{}.", words::model(model, plan.total))];
    parts.push(said(&words::embedding(model, plan.tied), plan.embedding));
    for kind in &plan.kinds {
        parts.push(format!("{} × {}:", words::layers(kind), kind.layers.len()));
        parts.push(said(&words::sublayer(kind.attention.sublayer()), kind.attention_share));
        parts.push(said(&words::sublayer(kind.ffn.sublayer()), kind.ffn_share));
        if let Ffn::Coe(b) = &kind.ffn {
            let inside = [Some(words::router(b)), Some(words::experts(b, model.dim)), words::shared(b)];
            for words in inside.into_iter().flatten() {
                let details: String = words.details.iter().map(|detail| format!(", {detail}")).collect();
                parts.push(format!("{}{details}.", words.title));
            }
            parts.push(format!("Selected: {}.", words::selected(b)));
        }
    }
    parts.push(said(&words::head(model, plan.tied), plan.head));
    parts.join(" ")
}

/// A page that grows downwards.
struct Page {
    canvas: Canvas,
    /// How far it is filled.
    y: i32,
    total: Share,
    /// Whether something was drawn that is kept and added again, and whether a loop was.
    kept: bool,
    loops: bool,
}

impl Page {
    fn heading(&mut self, model: &Model, plan: &Plan) {
        let name = label::cut(&model.name, 19, RIGHT - LEFT - 8);
        self.canvas.text((LEFT + 4, self.y + 18), Anchor::Start, "name", &name);
        let line = words::model(model, plan.total);
        self.canvas.text((LEFT + 4, self.y + 40), Anchor::Start, "muted", &line);
        self.y += 56;
        if plan.is_mixed() {
            let note = "Layers of one kind are drawn once, where the first of them stands.";
            self.canvas.text((LEFT + 4, self.y + 2), Anchor::Start, "muted", note);
            self.y += 18;
        }
    }

    /// The embedding, from which the stream begins.
    fn table(&mut self, words: &Words, share: Share, arrive: Option<i32>) {
        let area = Area { x: LEFT, y: self.y, width: RIGHT - LEFT, height: 56 };
        if let Some(from) = arrive {
            self.canvas.arrow(&[(STREAM, from), (STREAM, area.y)], "stream");
        }
        self.canvas.rect(area, 8, "section");
        self.canvas.rect(Area { x: STREAM - 8, y: area.y + 20, width: 16, height: 16 }, 4, "table");
        self.canvas.text((TEXT, area.y + 24), Anchor::Start, "head", &words.title);
        self.canvas.text((TEXT, area.y + 42), Anchor::Start, "muted", &words.details.join(" · "));
        self.shares(area.y + 12, share, "table");
        self.y = area.bottom();
    }

    fn head(&mut self, model: &Model, plan: &Plan) {
        let from = self.y;
        self.y += GAP;
        self.table(&words::head(model, plan.tied), plan.head, Some(from));
    }

    /// Two bars: of the parameters and of the FLOPs.
    fn shares(&mut self, y: i32, share: Share, class: &str) {
        let rows = [
            ("params", share.params, self.total.params, y),
            ("FLOPs", share.flops, self.total.flops, y + 17),
        ];
        for (name, part, whole, y) in rows {
            self.canvas.text((SHARES + 36, y + 10), Anchor::End, "small muted", name);
            let bar = Area { x: SHARES + 44, y: y + 1, width: BAR, height: 10 };
            self.canvas.rect(bar, 3, "track");
            // What is there is seen, however little it is.
            let filled = (words::thousandths(part, whole) as i32 * BAR / 1000).max(i32::from(part > 0) * 2);
            if filled > 0 {
                self.canvas.rect(Area { width: filled, ..bar }, 3.min(filled / 2), class);
            }
            let percent = words::percent(part, whole);
            self.canvas.text((SHARES + 204, y + 10), Anchor::End, "small", &percent);
        }
    }

    /// Equal layers, drawn once.
    fn kind(&mut self, model: &Model, kind: &Kind) {
        let from = self.y;
        let top = from + GAP;
        // The panel lies under what stands in it, and its height is known last.
        let under = std::mem::take(&mut self.canvas);
        let count = kind.layers.len();
        self.canvas.text((TEXT, top + 24), Anchor::Start, "head", &words::layers(kind));
        self.y = top + 36;
        let mut stream = from;
        stream = self.attention(kind, stream);
        self.y += 12;
        stream = self.ffn(model, kind, stream);
        self.y += 14;
        let panel = Area { x: LEFT, y: top, width: RIGHT - LEFT, height: self.y - top };
        let above = std::mem::replace(&mut self.canvas, under);
        if count > 1 {
            self.canvas.rect(panel.moved(8, 8), 10, "panel");
            self.canvas.rect(panel.moved(4, 4), 10, "panel");
        }
        self.canvas.rect(panel, 10, "panel");
        if count > 1 {
            let times = format!("× {count}");
            let width = label::width(&times, 14) + 20;
            let pill = Area { x: RIGHT - 12 - width, y: top + 8, width, height: 22 };
            self.canvas.rect(pill, 11, "box");
            self.canvas.text((pill.middle().0, pill.y + 16), Anchor::Middle, "head", &times);
        }
        self.canvas.append(above);
        self.canvas.line(&[(STREAM, stream), (STREAM, self.y)], "stream");
        self.y += if count > 1 { 8 } else { 0 };
        if count > 1 {
            self.canvas.line(&[(STREAM, self.y - 8), (STREAM, self.y)], "stream");
        }
    }

    /// The frame of a sublayer with its heading; what is drawn in it comes later.
    fn section(&mut self, area: Area, words: &Words, share: Share, class: &str) {
        self.canvas.rect(area, 8, "section");
        self.canvas.rect(Area { width: 4, height: 30, x: area.x + 4, y: area.y + 12 }, 2, class);
        self.canvas.text((TEXT, area.y + 24), Anchor::Start, "head", &words.title);
        let formula = label::cut(&words.details.join(" · "), 12, SHARES - TEXT - 12);
        self.canvas.text((TEXT, area.y + 42), Anchor::Start, "muted", &formula);
        self.shares(area.y + 12, share, class);
    }

    /// Attention between the stream before it and the stream after it.
    fn attention(&mut self, kind: &Kind, stream: i32) -> i32 {
        let words = words::sublayer(kind.attention.sublayer());
        let heading =
            Words { title: "Attention".into(), details: vec!["h ← h + Attention(Norm(h))".into()] };
        self.plain(&words, &heading, kind.attention_share, "attention", stream)
    }

    fn ffn(&mut self, model: &Model, kind: &Kind, stream: i32) -> i32 {
        let heading = words::sublayer(kind.ffn.sublayer());
        match &kind.ffn {
            Ffn::Dense(b) => self.plain(&words::dense(b, model.dim), &heading, kind.ffn_share, "ffn", stream),
            Ffn::Coe(b) => {
                let top = self.y;
                let mut drawn = Canvas::default();
                let chain = chain::draw(&mut drawn, b, model.dim, top + HEADING);
                let area =
                    Area { x: SECTION, y: top, width: RIGHT - 12 - SECTION, height: chain.back + 18 - top };
                self.section(area, &heading, kind.ffn_share, "ffn");
                self.canvas.append(drawn);
                self.kept |= chain.keeps;
                self.loops |= b.iter > 1;
                self.y = area.bottom();
                self.join(stream, &chain, b.wiring().output)
            }
        }
    }

    /// A norm, one block, and the sum with the stream.
    fn plain(&mut self, words: &Words, heading: &Words, share: Share, class: &str, stream: i32) -> i32 {
        let top = self.y;
        let room = (210, BOX.1);
        let width = room.1 - room.0;
        let lines = label::lines(&words.details, 12, width - 24);
        let block = Area { x: room.0, y: top + HEADING, width, height: 30 + 16 * lines.len() as i32 };
        let (_, middle) = block.middle();
        let back = block.bottom() + 18;
        let area = Area { x: SECTION, y: top, width: RIGHT - 12 - SECTION, height: back + 18 - top };
        self.section(area, heading, share, class);
        let norm = NORM.moved(0, middle - NORM.height / 2);
        self.canvas.arrow(&[(norm.right(), middle), (block.x, middle)], "flow");
        boxed(&mut self.canvas, norm, "Norm", &[]);
        boxed(&mut self.canvas, block, &words.title, &lines);
        let path = [(block.right(), middle), (TURN, middle), (TURN, back), (STREAM + OPERATOR, back)];
        self.canvas.arrow(&path, "flow");
        self.y = area.bottom();
        let chain = Ends { branch: middle, first: norm.x, is_normed: true, leaves: None, back, keeps: false };
        self.join(stream, &chain, Output::StreamPlusState)
    }

    /// The stream beside a sublayer: past it to a sum, or through it.
    fn join(&mut self, stream: i32, ends: &Ends, output: Output) -> i32 {
        let &Ends { branch, first, leaves, back, .. } = ends;
        match output {
            Output::State => {
                let way = [(STREAM, stream), (STREAM, branch), (first, branch)];
                if ends.is_normed {
                    self.canvas.arrow(&way, "stream");
                } else {
                    self.canvas.line(&way, "stream");
                }
                if let Some((x, y)) = leaves {
                    let path = [(x, y), (TURN, y), (TURN, back), (STREAM, back), (STREAM, self.y + 6)];
                    self.canvas.line(&path, "stream");
                }
                self.y + 6
            }
            Output::StreamPlusState | Output::StreamPlusChange => {
                self.canvas.line(&[(STREAM, stream), (STREAM, back - OPERATOR)], "stream");
                self.canvas.dot((STREAM, branch), "stream");
                let way = [(STREAM, branch), (first, branch)];
                if ends.is_normed {
                    self.canvas.arrow(&way, "flow");
                } else {
                    self.canvas.line(&way, "flow");
                }
                if let Some((x, y)) = leaves {
                    let path = [(x, y), (TURN, y), (TURN, back), (STREAM + OPERATOR, back)];
                    self.canvas.arrow(&path, "flow");
                }
                self.canvas.operator((STREAM, back), "stream", false);
                back + OPERATOR
            }
        }
    }

    /// What the lines mean, as far as there are any.
    fn legend(&mut self) {
        let y = self.y + 24;
        let entries = [
            (true, "stream", "residual stream h"),
            (true, "flow", "within a sublayer"),
            (self.kept, "kept", "kept and added again"),
            (self.loops, "loop", "next iteration"),
        ];
        let mut x = LEFT + 4;
        for (_, class, text) in entries.into_iter().filter(|(shown, ..)| *shown) {
            self.canvas.line(&[(x, y - 4), (x + 26, y - 4)], class);
            self.canvas.text((x + 34, y), Anchor::Start, "small muted", text);
            x += 34 + label::width(text, 11) + 24;
        }
        self.y = y;
    }
}
