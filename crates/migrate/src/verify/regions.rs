//! Where the things of a file are, by the calls that create them.

use std::collections::{BTreeMap, BTreeSet};

use super::place::{Kind, named};
use super::{Need, Replay};

/// Regions of the things that a file creates.
#[derive(Debug, Default)]
pub struct Regions(BTreeMap<Key, BTreeSet<String>>);

type Key = (Kind, String, String);

fn key(need: &Need) -> Key {
    (need.kind, need.group.to_lowercase(), need.name.to_lowercase())
}

impl Regions {
    /// Learns from an old form that creates something and says where.
    pub fn learn(&mut self, replay: &Replay) {
        if let (Some(created), Some(region)) = (created(replay), &replay.region) {
            self.0.entry(key(&created)).or_default().insert(region.clone());
        }
    }

    /// The one region of what an old form speaks of: of the thing that it creates or needs, or of its cluster.
    pub fn of(&self, replay: &Replay) -> Option<&str> {
        created(replay)
            .iter()
            .chain(&replay.needs)
            .find_map(|need| self.only(need))
    }

    fn only(&self, need: &Need) -> Option<&str> {
        let mut all = self.0.get(&key(need))?.iter();
        let first = all.next()?;
        all.next().is_none().then_some(first)
    }
}

/// What a replay creates.
fn created(replay: &Replay) -> Option<Need> {
    let step = replay.steps.iter().find(|step| step.method == "PUT")?;
    named(&step.path).map(|named| named.need)
}

#[cfg(test)]
mod tests {
    use super::super::az::{Around, old};
    use super::*;

    fn replay(text: &str) -> Replay {
        old(text, &Around::NOTHING).unwrap().remove(0).1
    }

    #[test]
    fn a_create_tells_where_its_thing_is_unless_two_differ() {
        let mut regions = Regions::default();
        regions.learn(&replay(
            "az batchai cluster create -n c -g $G -l eastus -s S -t 1",
        ));
        let show = replay("az batchai cluster show -n C -g ${G}");
        assert_eq!(regions.of(&show), Some("eastus"));
        let job = replay("az batchai job create -n j -g $G -r c -c job.json");
        assert_eq!(regions.of(&job), Some("eastus"));
        assert_eq!(regions.of(&replay("az batchai job show -n c -g $G")), None);
        regions.learn(&replay(
            "az batchai cluster create -n c -g $G -l westus -s S -t 1",
        ));
        assert_eq!(regions.of(&show), None);
    }
}
