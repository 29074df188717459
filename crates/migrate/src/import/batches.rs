//! Steps in batches, each within what the server takes at once.

use super::step::Step;

/// Most items of a batch; the server's own limit.
const MOST: usize = 100;
/// Most bytes of a batch, but one step may be larger alone. Far below the server's usual limit of a body.
const BYTES: usize = 192 * 1024;

/// Steps that go to the server together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Batch<'a> {
    /// The place of the first among all.
    pub first: usize,
    /// The steps.
    pub steps: &'a [Step],
}

/// Cuts steps into batches, in their order.
pub fn batches(steps: &[Step]) -> Vec<Batch<'_>> {
    let mut batches = Vec::new();
    let (mut first, mut bytes) = (0, 0);
    for (i, step) in steps.iter().enumerate() {
        let more = step.item.to_string().len();
        if i > first && (i - first == MOST || bytes + more > BYTES) {
            batches.push(Batch {
                first,
                steps: &steps[first..i],
            });
            (first, bytes) = (i, 0);
        }
        bytes += more;
    }
    if first < steps.len() {
        batches.push(Batch {
            first,
            steps: &steps[first..],
        });
    }
    batches
}
