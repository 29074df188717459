//! caffe2Settings: one process a node (behaviour.md section 9).

use crate::spec::PythonScript;

use super::plan::Process;
use super::script;
use super::site::Site;

/// The process of this node, which tells its shard by its index.
pub(super) fn processes(site: &Site<'_>, script: &PythonScript) -> Vec<Process> {
    let index = site.index;
    vec![site.process(
        &format!("shard {index}"),
        script::python(script),
        &site.task_variables(index),
        &format!("-wk-{index}.txt"),
    )]
}
