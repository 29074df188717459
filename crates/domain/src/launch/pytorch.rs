//! pyTorchSettings: one process a rank (behaviour.md section 9).

use std::ops::Range;

use crate::spec::{CommunicationBackend, PyTorchSettings, PythonScript};

use super::path::{join, resolve};
use super::plan::Process;
use super::quote::shell_quote;
use super::site::{Site, Variables};

/// The processes of this node; every rank decides.
pub(super) fn processes(site: &Site<'_>, settings: &PyTorchSettings) -> Vec<Process> {
    let nodes = site.job.nodes.len() as u32;
    let count = settings.process_count.unwrap_or(nodes);
    ranks(count, nodes, site.index as u32)
        .map(|rank| {
            let variables = variables(site, settings, rank);
            let script = command(&settings.script, &variables);
            site.process(
                &format!("rank {rank}"),
                script,
                &variables,
                &format!("-{rank}.txt"),
            )
        })
        .collect()
}

/// The ranks of one node. Neighbouring ranks share a node, and no node has two more than another: of 5
/// ranks on 2 nodes the first has 0 to 2, the second 3 and 4.
fn ranks(count: u32, nodes: u32, node: u32) -> Range<u32> {
    let nodes = nodes.max(1);
    let (each, over) = (count / nodes, count % nodes);
    let first = each * node + over.min(node);
    first..first + each + u32::from(node < over)
}

fn variables(site: &Site<'_>, settings: &PyTorchSettings, rank: u32) -> Variables {
    let mut variables = site.variables.clone();
    let mut set = |name: &str, value: String| variables.insert(name.to_owned(), value);
    set("AZ_BATCHAI_TASK_INDEX", rank.to_string());
    if let Some(backend) = settings.communication_backend {
        set("AZ_BATCHAI_PYTORCH_BACKEND", name(backend).to_owned());
        set("AZ_BATCHAI_PYTORCH_INIT_METHOD", init_method(site, backend));
    }
    variables
}

fn name(backend: CommunicationBackend) -> &'static str {
    match backend {
        CommunicationBackend::Tcp => "tcp",
        CommunicationBackend::Gloo => "gloo",
        CommunicationBackend::Mpi => "mpi",
        CommunicationBackend::Nccl => "nccl",
    }
}

/// Where the ranks meet. PyTorch wants a file that was never used, so its name has the attempt in it.
fn init_method(site: &Site<'_>, backend: CommunicationBackend) -> String {
    match backend {
        CommunicationBackend::Tcp => format!("tcp://{}:{}", site.job.master(), site.job.port),
        CommunicationBackend::Gloo | CommunicationBackend::Mpi | CommunicationBackend::Nccl => {
            let file = format!("pytorch-{}", site.job.placement.attempt);
            format!("file://{}", join(&site.shared.path, &file))
        }
    }
}

/// The command line of a script: interpreter and script as single words, the arguments as the user's own
/// shell text. The default interpreter is `python`, or `python3` on nodes that have no other.
fn command(script: &PythonScript, variables: &Variables) -> String {
    let interpreter = match &script.python_interpreter_path {
        Some(path) => shell_quote(&resolve(path, variables)),
        None => r#""$(command -v python || echo python3)""#.to_owned(),
    };
    let file = shell_quote(&resolve(&script.python_script_file_path, variables));
    match script.command_line_args.as_deref() {
        Some(arguments) if !arguments.is_empty() => format!("{interpreter} {file} {arguments}"),
        Some(_) | None => format!("{interpreter} {file}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_rank_is_on_one_node_and_the_load_is_even(count in 0u32..1024, nodes in 1u32..100) {
            let blocks: Vec<Range<u32>> = (0..nodes).map(|node| ranks(count, nodes, node)).collect();
            let all: Vec<u32> = blocks.iter().cloned().flatten().collect();
            prop_assert_eq!(all, (0..count).collect::<Vec<u32>>());
            let sizes = || blocks.iter().map(|block| block.len());
            prop_assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1);
        }
    }
}
