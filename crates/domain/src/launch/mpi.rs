//! What the MPI launcher starts (behaviour.md section 9).
//!
//! `mpirun` runs on the master and reaches the other nodes through the engine's remote shell, so that it needs no SSH.

use super::plan::Process;
use super::site::Site;
use super::spread::spread;

/// One command line in each of several processes.
pub(super) struct Mpi {
    /// How many processes, over all nodes.
    pub count: u32,
    /// What each of them runs, as shell text; its variables are put in where it runs.
    pub command: String,
}

/// Before a command whose processes tell their rank by `AZ_BATCHAI_TASK_INDEX`.
pub(super) const TASK_INDEX_OF_RANK: &str =
    r#"export AZ_BATCHAI_TASK_INDEX="${OMPI_COMM_WORLD_RANK:-${PMIX_RANK:-${PMI_RANK:-0}}}";"#;

/// Finds the launcher and drives it as it wants: Intel MPI where it is installed, else the one in PATH. Its arguments
/// are the number of processes, the nodes as `ADDRESS:PROCESSES,…` and the command of each process.
///
/// Open MPI takes the hostfile, and gives each process the environment of its node. MPICH and Intel MPI would give
/// all of them that of the master: they are told to pass on only what finds their libraries.
const LAUNCH: &str = r#"count=$1 nodes=$2 command=$3
set --
for variables in /opt/intel/oneapi/mpi/latest/env/vars.sh /opt/intel/impi/*/intel64/bin/mpivars.sh \
    /opt/intel/compilers_and_libraries/linux/mpi/intel64/bin/mpivars.sh; do
  if [ -r "$variables" ]; then . "$variables"; break; fi
done
launcher=$(command -v mpirun || command -v mpiexec)
case "$("$launcher" --version 2>/dev/null)" in
  *'Open MPI'*|*OpenRTE*|*PRRTE*)
    exec "$launcher" --allow-run-as-root --hostfile "$AZ_BATCHAI_MPI_HOST_FILE" -np "$count" bash -c "$command" ;;
  *Intel*|*HYDRA*)
    exec "$launcher" -genvlist PATH,LD_LIBRARY_PATH,I_MPI_ROOT,FI_PROVIDER_PATH -hosts "$nodes" -n "$count" \
      bash -c "$command" ;;
esac
echo 'No mpirun of Open MPI, MPICH or Intel MPI was found. Install one in the job preparation or the setup task.' >&2
exit 127"#;

/// The launcher, on the master; its end decides. The other nodes wait for what it starts there.
pub(super) fn processes(site: &Site<'_>, mpi: &Mpi) -> Vec<Process> {
    if site.index != 0 {
        return Vec::new();
    }
    let nodes = site.node_count();
    let shares: Vec<String> = (0..)
        .zip(site.job.nodes)
        .map(|(index, node)| (node.address, spread(mpi.count, nodes, index).len()))
        .filter(|(_, processes)| *processes > 0)
        .map(|(address, processes)| format!("{address}:{processes}"))
        .collect();
    let mut launcher = site.process("mpirun", LAUNCH.to_owned(), &site.variables, ".txt");
    let own = ["mpirun".to_owned(), mpi.count.to_string()];
    launcher.arguments.extend(own);
    launcher.arguments.extend([shares.join(","), mpi.command.clone()]);
    vec![launcher]
}
