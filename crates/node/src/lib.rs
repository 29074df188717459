//! What happens on one node: mounts, preparation, processes, output files, status.
