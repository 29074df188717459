//! The local engine does what every engine has to do.

use std::time::Duration;

use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_domain::launch::{LaunchPlan, NodePlan};
use trainyard_engine::Engine;
use trainyard_engine::conformance::{CASES, Subject, Work};
use trainyard_node::machine::since_boot;

use crate::yard::{PATIENCE, Yard, process};

struct Local {
    yard: Yard,
    heard: std::cell::Cell<u64>,
    until: Duration,
}

impl Subject for Local {
    fn engine(&self) -> &dyn Engine {
        self.yard.engine()
    }

    fn node(&self, uid: Uid, setup_goes_well: bool) -> NodePlan {
        let script = if setup_goes_well { "true" } else { "false" };
        self.yard.node_plan(uid, Some(script))
    }

    fn job(&self, placement: PlacementId, nodes: &[Uid], work: Work) -> Vec<(Uid, LaunchPlan)> {
        let script = match work {
            Work::Ends(code) => format!("echo x >> $OUT/starts; exit {code}"),
            Work::PreparationEnds(_) => "echo x >> $OUT/starts".to_owned(),
            Work::UntilStopped => "echo x >> $OUT/starts; exec sleep 1000".to_owned(),
        };
        let mut plans = self.yard.plans(placement, nodes, &script);
        if let Work::PreparationEnds(code) = work {
            for (node, plan) in &mut plans {
                let out = self.yard.shown(placement, *node);
                let script = format!("exit {code}");
                plan.preparation = Some(process("job preparation", &script, &plan.job_directory, &out));
            }
        }
        plans
    }

    fn starts(&self, placement: PlacementId, node: Uid) -> usize {
        self.yard.read(placement, node, "starts").lines().count()
    }

    fn wait(&self) -> bool {
        let heard = self.heard.replace(self.yard.rings());
        self.yard.wait_for_ring(heard);
        since_boot() < self.until
    }
}

#[test]
fn the_local_engine_conforms() {
    let yards = || Yard::each().into_iter();
    for (yard, (name, case)) in CASES
        .iter()
        .flat_map(|case| yards().map(move |yard| (yard, case)))
    {
        let subject = Local {
            yard,
            heard: std::cell::Cell::new(0),
            until: since_boot() + PATIENCE,
        };
        if let Err(breach) = case(&subject) {
            panic!("{name}: {breach}");
        }
    }
}
