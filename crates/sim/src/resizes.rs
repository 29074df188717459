//! Two clusters that are resized all the time under load.

use crate::Checked;
use crate::model::Life;
use crate::workload::MOST_JOBS;
use crate::world::World;

impl World {
    /// So many resizes, changes between manual and automatic scaling, and pre-emptions, among jobs that come and
    /// run. Everything else goes wrong as the seed wants it.
    pub(crate) fn resize_often(&mut self, times: u32) -> Checked {
        (self.weights.act, self.weights.names, self.weights.endless) = (0, 1, false);
        while self.model.paths("clusters").len() < 2 {
            self.put_workspace()?;
            self.put_experiment()?;
            self.put_cluster()?;
        }
        let changes = |world: &World| world.resizes + world.pre_empted.0;
        while changes(self) < times {
            self.next_step();
            match self.rng.between(0, 99) {
                0..=13 => self.resize()?,
                14..=25 => self.preempt()?,
                26..=55 => self.submit()?,
                _ => self.one()?,
            }
            self.check_step()?;
        }
        Ok(())
    }

    /// One more job; where there are many, one that is over makes room.
    fn submit(&mut self) -> Checked {
        let jobs = self.model.paths("jobs");
        let standing: Vec<&String> = jobs
            .iter()
            .filter(|path| self.model.life(path) == Life::Standing)
            .collect();
        if standing.len() < MOST_JOBS {
            return self.put_job();
        }
        let over = standing
            .into_iter()
            .find(|path| self.model.job(path).is_some_and(|job| job.last.is_some()));
        match over.cloned() {
            Some(path) => self.delete_path(&path),
            None => self.wait(1_000),
        }
    }
}
