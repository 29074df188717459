//! Jobs in containers, by real podman and real docker, with an image made on the spot.

mod ends;
mod runs;

use std::fs;
use std::sync::Arc;

use trainyard_domain::ids::Uid;
use trainyard_domain::launch::{Behind, Container, LaunchPlan, Mount};
use trainyard_domain::state::Verdict;
use trainyard_engine::Engine;
use trainyard_engine_local::isolation_here;
use trainyard_node::container::{Choice, Settings};

use crate::docker::Daemon;
use crate::images;
use crate::yard::{Yard, id};

/// Each test with each runtime.
macro_rules! with_each_runtime {
    ($($file:ident::$test:ident,)*) => {
        mod podman {
            $(#[test] fn $test() { super::Yards::podman().iter().for_each(super::$file::$test); })*
        }
        mod docker {
            $(#[test] fn $test() { super::Yards::docker().iter().for_each(super::$file::$test); })*
        }
    };
}

with_each_runtime! {
    runs::a_job_runs_in_its_image_and_its_exit_code_comes_back,
    runs::what_the_preparation_does_to_the_container_is_there_for_the_job,
    runs::a_preparation_that_fails_in_the_container_ends_the_job_with_its_code,
    runs::an_image_without_bash_has_its_sh_and_a_missing_program_is_127,
    runs::a_link_that_the_container_lays_leads_its_node_nowhere_and_it_makes_no_device,
    runs::shared_memory_has_the_size_that_is_asked_for,
    ends::a_stopped_job_may_tidy_up_and_what_ignores_that_is_killed,
    ends::a_daemon_in_the_container_does_not_outlive_its_job_and_may_tidy_up,
    ends::a_job_that_runs_too_long_is_ended_in_its_container,
    ends::a_killed_node_leaves_nothing_of_its_container,
    ends::a_node_that_leaves_takes_its_container_along,
    ends::a_container_outlives_the_engine,
    runs::what_cannot_be_started_says_why,
    runs::two_nodes_start_commands_in_the_containers_of_one_another,
    runs::an_image_is_read_once_and_again_when_its_file_changes,
    runs::a_job_over_its_memory_in_a_container_is_told_why_as_on_the_node,
}

/// Yards whose jobs find the image; none where it cannot be made or the runtime is missing, which is said.
pub struct Yards {
    images: tempfile::TempDir,
    docker: Option<Arc<Daemon>>,
}

impl Yards {
    pub fn podman() -> Option<Yards> {
        Yards::of(images::folder(&["/usr/bin/podman"]), None)
    }

    pub fn docker() -> Option<Yards> {
        let images = images::folder(&[]);
        match Daemon::shared() {
            Ok(daemon) => Yards::of(images, Some(daemon)),
            Err(left_out) => Yards::of(Err(left_out), None),
        }
    }

    fn of(images: Result<tempfile::TempDir, String>, docker: Option<Arc<Daemon>>) -> Option<Yards> {
        match images {
            Ok(images) => Some(Yards { images, docker }),
            Err(left_out) => {
                println!("{left_out}");
                None
            }
        }
    }

    fn one(&self) -> Yard {
        Yard::with_containers(self.settings(), true, isolation_here(&[]).is_ok())
    }

    /// With and without isolation, with and without the cgroup tree.
    fn each(&self) -> impl Iterator<Item = Yard> {
        let levels: &[bool] = if isolation_here(&[]).is_ok() {
            &[false, true]
        } else {
            &[false]
        };
        let kinds = levels
            .iter()
            .flat_map(|isolated| [(*isolated, true), (*isolated, false)]);
        kinds.map(|(isolated, cgroups)| Yard::with_containers(self.settings(), cgroups, isolated))
    }

    pub fn settings(&self) -> Settings {
        let docker = self.docker.as_ref();
        Settings {
            runtime: docker.map_or(Choice::Podman, |_| Choice::Docker),
            program: docker.map(|docker| docker.client()),
            images: Some(self.images.path().to_owned()),
            ..Settings::default()
        }
    }

    /// Containers of a node that docker's daemon has, which is outside of nodes.
    fn at_docker(&self, yard: &Yard, node: Uid) -> String {
        let folder = yard.folder(node);
        let docker = self.docker.as_ref();
        docker.map_or_else(String::new, |docker| docker.containers(folder.root()))
    }
}

pub fn contained(yard: &Yard, node: Uid, script: &str, image: &str) -> LaunchPlan {
    let mut plan = yard.plan(id(1), node, script);
    // The directories of the test are outside of what a node shows.
    let out = yard.out(id(1), node);
    fs::create_dir_all(&out).unwrap();
    if !yard.is_isolated() {
        let behind = Behind::Source(out.display().to_string());
        let path = format!("{}/out", plan.job_directory);
        plan.mounts.push(Mount::new(path, behind));
    }
    plan.container = Some(Container {
        image: image.to_owned(),
        reference: format!("docker.io/{image}"),
        shm_bytes: None,
        login: None,
        remote_shell: yard.engine().paths(node).remote_shell,
    });
    plan
}

fn run(yard: &Yard, node: Uid, plan: LaunchPlan) -> Verdict {
    yard.launch(node, plan);
    yard.verdict(id(1), node)
}
