//! The local engine: nodes are processes of this machine.
