//! What each version of `az batchai` took, as data (cli-dialects.md sections 1.2 to 1.4).
//!
//! Options are told apart by their *role*, not by their letters: `-n` is a cluster, a job, a file or a node,
//! as the command has it. A call is translated by looking up its roles in the command it becomes.

mod common;
mod v01;
mod v02;
mod v03;

pub use common::GLOBAL;

/// The three grammars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// 0.1.3 to 0.1.6, until March 2018: api-version 2017-09-01-preview.
    V01,
    /// 0.2.0 to 0.2.3, April to June 2018: api-version 2018-03-01.
    V02,
    /// 0.3.0 and later: api-version 2018-05-01, the target.
    V03,
}

impl Dialect {
    /// Every command of this dialect.
    pub fn commands(self) -> &'static [Command] {
        match self {
            Self::V01 => v01::COMMANDS,
            Self::V02 => v02::COMMANDS,
            Self::V03 => v03::COMMANDS,
        }
    }

    /// The command with these words: `job file list`.
    pub fn command(self, path: &str) -> Option<&'static Command> {
        self.commands().iter().find(|command| command.path == path)
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V01 => "0.1",
            Self::V02 => "0.2",
            Self::V03 => "0.3",
        })
    }
}

/// One command of one dialect.
#[derive(Debug)]
pub struct Command {
    /// Its words after `az batchai`, with one blank between.
    pub path: &'static str,
    /// The words of the command of 0.3 that it becomes.
    pub becomes: &'static str,
    /// Its options in groups, without the global ones.
    pub options: &'static [&'static [Opt]],
}

impl Command {
    /// Every option but the global ones.
    pub fn own(&self) -> impl Iterator<Item = &'static Opt> + use<> {
        self.options.iter().flat_map(|group| group.iter())
    }

    /// The option of this role.
    pub fn of(&self, role: Role) -> Option<&'static Opt> {
        self.own().chain(GLOBAL).find(|option| option.role == role)
    }

    /// The option with this text: by its whole name, else as the beginning of just one long name, as argparse
    /// has it. The command's own names go before the global ones, some of which are younger.
    ///
    /// # Errors
    /// `Some` options that it could be, where there are several; none where there is none.
    pub fn resolve(&self, name: &str) -> Result<&'static Opt, Vec<&'static str>> {
        let whole = |option: &&'static Opt| option.names.contains(&name);
        if let Some(option) = self.own().chain(GLOBAL).find(whole) {
            return Ok(option);
        }
        if !name.starts_with("--") || name.len() < 3 {
            return Err(Vec::new());
        }
        let own = beginning(name, self.own());
        let found = if own.is_empty() {
            beginning(name, GLOBAL.iter())
        } else {
            own
        };
        match found.as_slice() {
            [(_, option)] => Ok(option),
            several => Err(several.iter().map(|(name, _)| *name).collect()),
        }
    }
}

fn beginning(name: &str, options: impl Iterator<Item = &'static Opt>) -> Vec<(&'static str, &'static Opt)> {
    options
        .flat_map(|option| option.names.iter().map(move |full| (*full, option)))
        .filter(|(full, _)| full.starts_with(name))
        .collect()
}

/// One option of one command.
#[derive(Debug, PartialEq, Eq)]
pub struct Opt {
    /// What it means.
    pub role: Role,
    /// Its names, the preferred long one first.
    pub names: &'static [&'static str],
    /// How many values.
    pub takes: Takes,
    /// Whether a call must have it.
    pub need: Need,
}

impl Opt {
    /// The preferred long name.
    pub fn long(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    /// The one-letter name, if there is one.
    pub fn short(&self) -> Option<&'static str> {
        self.names.iter().copied().find(|name| !name.starts_with("--"))
    }
}

/// How many values an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// None.
    Flag,
    /// One.
    One,
    /// One or more.
    Many,
}

/// Whether a call must have an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It may be absent.
    Free,
    /// It must be there.
    Must,
    /// It must be there, or `--ids`.
    UnlessIds,
    /// It must be there, or in the configured defaults: the group, the region.
    Default,
    /// As `Default`, or `--ids`.
    DefaultOrIds,
}

/// What an option means, whatever its letters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named after its option")]
pub enum Role {
    Group,
    Workspace,
    Experiment,
    Cluster,
    ClusterGroup,
    Job,
    FileServer,
    Node,
    /// The name of an output file.
    File,
    /// The JSON file that describes the thing.
    Config,
    Location,
    User,
    Key,
    Password,
    GenerateKeys,
    Image,
    CustomImage,
    AutoStorage,
    VmSize,
    VmPriority,
    Target,
    Min,
    Max,
    Subnet,
    Nfs,
    NfsGroup,
    NfsPath,
    Afs,
    AfsPath,
    Bfs,
    BfsPath,
    Account,
    AccountKey,
    SetupTask,
    SetupOutput,
    DiskCount,
    DiskSize,
    Caching,
    Sku,
    /// An output directory's id.
    Directory,
    Path,
    Expiry,
    Interval,
    Address,
    Exec,
    PrivateKey,
    Ids,
    NoWait,
    Yes,
    Output,
    Query,
    Debug,
    Verbose,
    Help,
    Subscription,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Dialect; 3] = [Dialect::V01, Dialect::V02, Dialect::V03];

    #[test]
    fn every_command_becomes_one_of_the_target_and_no_name_means_two_things() {
        for dialect in ALL {
            for command in dialect.commands() {
                assert!(
                    Dialect::V03.command(command.becomes).is_some(),
                    "{}",
                    command.path
                );
                let mut names: Vec<_> = command.own().chain(GLOBAL).flat_map(|o| o.names).collect();
                names.sort_unstable();
                let all = names.len();
                names.dedup();
                assert_eq!(names.len(), all, "{dialect} {}", command.path);
            }
        }
        assert_eq!(ALL.map(|d| d.commands().len()), [19, 22, 32]);
    }

    #[test]
    fn a_beginning_of_one_long_name_is_enough() {
        let old = Dialect::V02.command("job create").unwrap();
        assert_eq!(old.resolve("--res").unwrap().role, Role::Group);
        assert_eq!(old.resolve("--config").unwrap().role, Role::Config);
        assert_eq!(old.resolve("--cluster-n").unwrap().role, Role::Cluster);
        assert_eq!(old.resolve("--nfs").unwrap_err().len(), 3);
        assert!(old.resolve("--workspace").unwrap_err().is_empty());
        let cluster = Dialect::V02.command("cluster create").unwrap();
        assert_eq!(cluster.resolve("--nfs").unwrap().role, Role::Nfs);
        let new = Dialect::V03.command("job file stream").unwrap();
        assert_eq!(new.resolve("--j").unwrap().role, Role::Job);
        assert_eq!(new.resolve("--outp").unwrap().role, Role::Directory);
        assert_eq!(new.resolve("--que").unwrap().role, Role::Query);
    }
}
