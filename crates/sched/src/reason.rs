//! Why a job waits, in one sentence.

use std::fmt;

use trainyard_domain::ids::Uid;

/// Why a job waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It is at the head of the line and too few nodes are idle.
    FewIdle {
        /// Nodes it needs.
        needed: u32,
        /// Nodes that are idle.
        idle: u32,
        /// Nodes that are being set up.
        preparing: u32,
    },
    /// It needs more nodes than the cluster can have.
    TooLarge {
        /// Nodes it needs.
        needed: u32,
        /// The most it could get.
        possible: u32,
        /// Nodes that are unusable and take the place of good ones.
        unusable: u32,
    },
    /// A job before it waits for nodes.
    Behind {
        /// The job.
        job: Uid,
        /// Its name.
        name: String,
    },
    /// Nothing starts now; the text is a whole sentence.
    Blocked(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::FewIdle {
                needed,
                idle,
                preparing: 0,
            } => write!(f, "The job needs {}, and {} idle.", Nodes(*needed), Are(*idle)),
            Reason::FewIdle {
                needed,
                idle,
                preparing,
            } => write!(
                f,
                "The job needs {}, and {} idle; {} being prepared.",
                Nodes(*needed),
                Are(*idle),
                Are(*preparing)
            ),
            Reason::TooLarge {
                needed,
                possible,
                unusable: 0,
            } => write!(
                f,
                "The job needs {}, and its cluster can have at most {possible}; raise the scale settings of the \
                 cluster.",
                Nodes(*needed)
            ),
            Reason::TooLarge {
                needed,
                possible,
                unusable,
            } => write!(
                f,
                "The job needs {}, and its cluster can have at most {possible} beside its {unusable} unusable; raise \
                 the scale settings, or scale the cluster down and up again.",
                Nodes(*needed)
            ),
            Reason::Behind { name, .. } => write!(f, "The job waits behind job {name}."),
            Reason::Blocked(why) => f.write_str(why),
        }
    }
}

/// `1 node`, `2 nodes`.
pub(crate) struct Nodes(pub u32);

impl fmt::Display for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 node"),
            n => write!(f, "{n} nodes"),
        }
    }
}

/// `none is`, `1 is`, `2 are`.
struct Are(u32);

impl fmt::Display for Are {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("none is"),
            1 => f.write_str("1 is"),
            n => write!(f, "{n} are"),
        }
    }
}
