//! Tensors of the model that are one tensor of the folder.

use super::{Axis, View};

/// Several tensors of the model as one of the folder.
///
/// They are matrices of equally many columns, whose rows stand one below the other, or vectors, whose
/// elements do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joined {
    /// Its name in the folder, within a layer.
    pub name: &'static str,
    /// Their names in the model, within a layer; `*` is the number of an expert. What experts have is
    /// stacked, an expert behind the other.
    pub of: &'static [&'static str],
    /// How their rows come one after another.
    pub rows: Rows,
    /// Whether the folder has the transpose.
    pub is_transposed: bool,
    /// Whether the folder has a first axis of 1 more.
    pub is_one_row: bool,
}

/// How the rows of several tensors come one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// All of the first tensor, then all of the next.
    InTurn,
    /// The first row of each, then the second of each.
    Alternating,
}

/// A tensor of the model within a joined one.
#[derive(Debug, Clone)]
pub(crate) struct Member<'a> {
    /// Which of [`Joined::of`] it is.
    pub kind: usize,
    /// The number of its expert.
    pub expert: usize,
    /// Its shape.
    pub shape: &'a [usize],
}

impl Joined {
    /// So many tensors, one behind the other, as they are.
    pub const fn new(name: &'static str, of: &'static [&'static str]) -> Self {
        Self { name, of, rows: Rows::InTurn, is_transposed: false, is_one_row: false }
    }

    /// Which of [`Joined::of`] a name within a layer is.
    pub fn kind(&self, pattern: &str) -> Option<usize> {
        self.of.iter().position(|other| *other == pattern)
    }

    /// Whether it stacks what experts have.
    pub fn is_stacked(&self) -> bool {
        self.of.iter().any(|name| name.contains('*'))
    }

    /// The shape in the folder, and where each of the members stands there.
    pub fn layout(&self, members: &[Member<'_>]) -> (Vec<usize>, Vec<View>) {
        let rows_of = |kind: usize| {
            let member = members.iter().find(|member| member.kind == kind);
            member.map_or(0, |member| member.shape.first().copied().unwrap_or(1))
        };
        let heights: Vec<usize> = (0..self.of.len()).map(rows_of).collect();
        let rows: usize = heights.iter().sum();
        let columns = members.iter().find_map(|member| member.shape.get(1).copied());
        let experts = members.iter().map(|member| member.expert + 1).max().unwrap_or(0);
        // How far it is from one row, and one column, to the next.
        let (down, across) = if self.is_transposed { (1, rows) } else { (columns.unwrap_or(1), 1) };
        let view = |member: &Member<'_>| {
            let (first, step) = match self.rows {
                Rows::InTurn => (heights[..member.kind].iter().sum(), 1),
                Rows::Alternating => (member.kind, self.of.len()),
            };
            let offset = member.expert * rows * columns.unwrap_or(1) + first * down;
            let mut axes = vec![Axis { count: heights[member.kind], stride: step * down }];
            axes.extend(columns.map(|count| Axis { count, stride: across }));
            View { offset, axes }
        };
        let mut shape = vec![rows];
        shape.extend(columns);
        if self.is_transposed {
            shape.reverse();
        }
        if self.is_stacked() {
            shape.insert(0, experts);
        } else if self.is_one_row {
            shape.insert(0, 1);
        }
        (shape, members.iter().map(view).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: &[&str] = &["mlp.experts.*.gate_proj.weight", "mlp.experts.*.up_proj.weight"];

    /// Where each element of a view stands.
    fn places(view: &View) -> Vec<usize> {
        view.axes.iter().fold(vec![view.offset], |places, axis| {
            let along = |place: usize| (0..axis.count).map(move |step| place + step * axis.stride);
            places.into_iter().flat_map(along).collect()
        })
    }

    /// gpt-oss has columns of gate and up in turn, and experts as [in, out].
    #[test]
    fn alternating_columns() {
        let (experts, width, dim) = (3, 2, 5);
        let rule = Joined { rows: Rows::Alternating, is_transposed: true, ..Joined::new("gate_up_proj", OF) };
        let shape = [width, dim];
        let members: Vec<_> = (0..experts)
            .flat_map(|expert| (0..2).map(move |kind| (kind, expert)))
            .map(|(kind, expert)| Member { kind, expert, shape: &shape })
            .collect();
        let (folder, views) = rule.layout(&members);
        assert_eq!(folder, [experts, dim, 2 * width]);
        for (member, view) in members.iter().zip(&views) {
            let place = |row: usize, column: usize| {
                member.expert * dim * 2 * width + column * 2 * width + 2 * row + member.kind
            };
            let expected = (0..width).flat_map(|row| (0..dim).map(move |column| place(row, column)));
            assert_eq!(places(view), expected.collect::<Vec<_>>());
        }
    }

    /// Queries, keys and values one below the other, the queries of more heads.
    #[test]
    fn rows_in_turn() {
        let rule = Joined::new("query_key_value.weight", &["q", "k", "v"]);
        let (shapes, dim) = ([[6, 4], [2, 4], [2, 4]], 4);
        let members: Vec<_> =
            shapes.iter().enumerate().map(|(kind, shape)| Member { kind, expert: 0, shape }).collect();
        let (folder, views) = rule.layout(&members);
        assert_eq!(folder, [10, dim]);
        let found: Vec<usize> = views.iter().flat_map(places).collect();
        assert_eq!(found, (0..40).collect::<Vec<_>>());
        assert!(views.iter().all(View::is_dense));
    }

    #[test]
    fn vectors_are_stacked_and_alone() {
        let members = |shape: &'static [usize]| {
            let member = |expert| Member { kind: 0, expert, shape };
            [member(0), member(1)]
        };
        let stacked = Joined::new("down_proj_bias", &["mlp.experts.*.down_proj.bias"]);
        let (shape, views) = stacked.layout(&members(&[7]));
        assert_eq!((shape, places(&views[1])), (vec![2, 7], (7..14).collect()));
        let one_row = Joined { is_one_row: true, ..Joined::new("bias", &["gate.bias"]) };
        let (shape, views) = one_row.layout(&members(&[7])[..1]);
        assert_eq!((shape, places(&views[0])), (vec![1, 7], (0..7).collect()));
    }
}
