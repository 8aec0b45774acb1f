//! Where the numbers of a tensor stand within a larger one.

/// One direction in which a tensor is read: how many steps, and how far each goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// Steps.
    pub count: usize,
    /// Elements of the larger tensor from one step to the next.
    pub stride: usize,
}

/// A tensor as a part of a larger one: its numbers in their own order, the last axis fastest, stand where
/// the axes lead from the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Elements of the larger tensor before the first.
    pub offset: usize,
    /// The directions, the slowest first.
    pub axes: Vec<Axis>,
}

impl View {
    /// All of a tensor of so many elements.
    pub fn whole(elements: usize) -> Self {
        Self { offset: 0, axes: vec![Axis { count: elements, stride: 1 }] }
    }

    /// As many elements as it has.
    pub fn elements(&self) -> usize {
        self.axes.iter().map(|axis| axis.count).product()
    }

    /// From the first element to the last, as many elements of the larger tensor.
    pub fn span(&self) -> usize {
        if self.elements() == 0 {
            return 0;
        }
        1 + self.axes.iter().map(|axis| (axis.count - 1) * axis.stride).sum::<usize>()
    }

    /// The same elements along as few axes as they need: those of one step fall away, and those that continue
    /// each other are one.
    pub fn simplified(&self) -> Self {
        let mut axes: Vec<Axis> = Vec::with_capacity(self.axes.len());
        for &axis in self.axes.iter().filter(|axis| axis.count != 1) {
            match axes.last_mut() {
                Some(outer) if outer.stride == axis.count * axis.stride => {
                    *outer = Axis { count: outer.count * axis.count, stride: axis.stride };
                }
                _ => axes.push(axis),
            }
        }
        Self { offset: self.offset, axes }
    }

    /// Whether its elements stand one behind the other, in their order.
    pub fn is_dense(&self) -> bool {
        matches!(self.simplified().axes.as_slice(), [] | [Axis { stride: 1, .. }]) || self.elements() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(offset: usize, axes: &[(usize, usize)]) -> View {
        View { offset, axes: axes.iter().map(|&(count, stride)| Axis { count, stride }).collect() }
    }

    #[test]
    fn axes_that_continue_each_other_are_one() {
        assert_eq!(view(3, &[(4, 10), (5, 2)]).simplified(), view(3, &[(20, 2)]));
        assert_eq!(view(0, &[(2, 15), (1, 7), (3, 5), (5, 1)]).simplified(), View::whole(30));
        assert_eq!(view(0, &[(5, 1), (3, 5)]).simplified(), view(0, &[(5, 1), (3, 5)]));
    }

    #[test]
    fn what_is_dense() {
        assert!(View::whole(7).is_dense() && view(9, &[(1, 5), (1, 3)]).is_dense());
        assert!(view(9, &[(0, 5), (4, 3)]).is_dense());
        assert!(!view(0, &[(3, 2)]).is_dense() && !view(0, &[(2, 1), (3, 2)]).is_dense());
    }

    #[test]
    fn a_span_ends_with_the_last_element() {
        assert_eq!(view(5, &[(3, 2), (4, 6)]).span(), 1 + 2 * 2 + 3 * 6);
        assert_eq!(view(5, &[(3, 2), (0, 6)]).span(), 0);
        assert_eq!(view(5, &[]).span(), 1);
    }
}
