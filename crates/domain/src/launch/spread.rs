//! How processes are spread over nodes.

use std::ops::Range;

/// Which of `count` processes are on one of `nodes` nodes. Neighbours share a node, and no node has two more than
/// another: of 5 processes on 2 nodes the first has 0 to 2, the second 3 and 4.
pub(super) fn spread(count: u32, nodes: u32, node: u32) -> Range<u32> {
    let nodes = nodes.max(1);
    let (each, over) = (count / nodes, count % nodes);
    let first = each * node + over.min(node);
    first..first + each + u32::from(node < over)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_process_is_on_one_node_and_the_load_is_even(count in 0u32..1024, nodes in 1u32..100) {
            let blocks: Vec<Range<u32>> = (0..nodes).map(|node| spread(count, nodes, node)).collect();
            let all: Vec<u32> = blocks.iter().cloned().flatten().collect();
            prop_assert_eq!(all, (0..count).collect::<Vec<u32>>());
            let sizes = || blocks.iter().map(|block| block.len());
            prop_assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1);
        }
    }
}
