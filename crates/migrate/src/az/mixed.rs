//! Calls that name a workspace but keep old words beside it, and calls copied from slips of the help texts.

use super::grammar::{Command, Dialect, GLOBAL, Opt, Role};
use super::parse::{self, Attach, Given, Misfit, Parsed};
use super::words::{Word, same_group};

/// A call as it was meant, and whether the words of the command must be written anew.
#[derive(Debug)]
pub struct Meant<'a> {
    /// Its options by the roles they were meant for, with the command of 0.3.
    pub parsed: Parsed<'a>,
    /// Options that only repeat another one: they go.
    pub twice: Vec<Given<'a>>,
}

/// Whether a call shows that it was written for workspaces.
pub fn is_new(words: &[Word<'_>]) -> bool {
    let path = parse::path(words);
    let first = path.first().map(String::as_str);
    let second = path.get(1).map(String::as_str);
    let group = matches!(first, Some("workspace" | "experiment"))
        || second == Some("node")
        || (first == Some("cluster") && second == Some("file"));
    let option = |word: &Word<'_>| {
        let text = word.plain();
        let name = text.split('=').next().unwrap_or_default();
        let experiment =
            first == Some("job") && name.len() > "--exp".len() && "--experiment".starts_with(name);
        // `-e` of the 0.2 file lists was a number of minutes; with a workspace beside it is not.
        name == "--ids"
            || name.starts_with("-w")
            || (name.len() > 3 && "--workspace".starts_with(name))
            || experiment
    };
    group || words.iter().any(option)
}

/// The command of 0.3 which these words mean, slips included, and the number of words.
pub fn command(words: &[Word<'_>]) -> Option<(&'static Command, usize)> {
    let path = parse::path(words);
    let upto = |count: usize| Some(path.get(..count)?.join(" "));
    (1..=3.min(path.len())).rev().find_map(|count| {
        let words = upto(count)?;
        let target = [Dialect::V03, Dialect::V02, Dialect::V01]
            .iter()
            .find_map(|dialect| dialect.command(&words))
            .map_or_else(|| slip(&words), |old| Some(old.becomes))?;
        Some((Dialect::V03.command(target)?, count))
    })
}

/// Words that the help texts of some versions had by mistake.
pub fn slip(words: &str) -> Option<&'static str> {
    Some(match words {
        "job stream" => "job file stream",
        "job list-file" => "job file list",
        "auto-scale" => "cluster auto-scale",
        "resize" => "cluster resize",
        "cluster list-file" => "cluster file list",
        _ => return None,
    })
}

/// What an option of a mixed call may be meant for, the likeliest first; the first may be one of 0.3 itself.
fn meanings(target: &'static Command, name: &str) -> Result<Vec<&'static Opt>, Misfit> {
    let mut found: Vec<&'static Opt> = Vec::new();
    let mut add = |option: &'static Opt| {
        if !found.iter().any(|known| known.role == option.role) {
            found.push(option);
        }
    };
    let own = parse::resolve(target, name);
    if let Ok(option) = own {
        add(option);
    }
    for dialect in [Dialect::V02, Dialect::V01] {
        let old = dialect.commands().iter().filter(|old| old.becomes == target.path);
        for option in old.filter_map(|old| old.resolve(name).ok()) {
            add(option);
        }
    }
    // There `-c` was always the file.
    let file = name == "-c" && target.path == "cluster create";
    for option in target
        .own()
        .filter(|option| !file && is_letter_of(option.role, name))
    {
        add(option);
    }
    if name == "--location" || name == "-l" {
        add(&LOCATION);
    }
    match own {
        Err(problem) if found.is_empty() => Err(problem),
        _ => Ok(found),
    }
}

const LOCATION: Opt = Opt {
    role: Role::Location,
    names: &["--location", "-l"],
    takes: super::grammar::Takes::One,
    need: super::grammar::Need::Free,
};

/// The letters and names that mean a thing in most commands, where people used them in others too.
fn is_letter_of(role: Role, name: &str) -> bool {
    let names: &[&str] = match role {
        Role::Workspace => &["-w", "-n", "--workspace", "--name"],
        Role::Experiment => &["-e", "--experiment"],
        Role::Job => &["-j", "-n", "--job", "--job-name", "--name"],
        Role::Cluster => &["-c", "-n", "-r", "--cluster", "--cluster-name", "--name"],
        Role::FileServer => &["-n", "--name"],
        _ => &[],
    };
    names.contains(&name)
}

/// Reads a mixed call. `words` are those after the command's.
///
/// # Errors
/// What could not be told apart, or does not fit.
pub fn read<'a>(target: &'static Command, words: &[Word<'a>]) -> Result<Meant<'a>, Misfit> {
    let mut choices: Vec<Vec<&'static Opt>> = Vec::new();
    let given = parse::options(words, true, |name| {
        meanings(target, name)?
            .first()
            .copied()
            .ok_or(Misfit::Stray(name.to_owned()))
    })?;
    for one in &given {
        let own = target.resolve(one.name.raw);
        let mut all = meanings(target, one.name.raw)?;
        // A global option or a glued one is what it is.
        if GLOBAL.contains(one.option) || (own.is_ok() && one.attach == Attach::Glued) {
            all.truncate(1);
        }
        choices.push(all);
    }
    let mut best: Vec<(usize, Vec<&'static Opt>)> = Vec::new();
    choose(target, &given, &choices, &mut Vec::new(), 0, &mut best);
    let least = best.iter().map(|(cost, _)| *cost).min();
    best.retain(|(cost, _)| Some(*cost) == least);
    match best.as_slice() {
        [(_, one)] => Ok(without_twice(target, given, one)),
        [] => Err(reason(target, given)),
        _ => Err(Misfit::Ambiguous(unclear(&given, &best))),
    }
}

/// Options of the older versions that name the group of another thing, and that thing.
const OF_ANOTHER: &[(Role, Role)] = &[(Role::ClusterGroup, Role::Cluster), (Role::NfsGroup, Role::Nfs)];

/// The name of an option that says a cluster or file server is of another group: its workspace is not known.
pub fn in_another_group<'a>(parsed: &Parsed<'a>) -> Option<&'a str> {
    OF_ANOTHER.iter().find_map(|(group, thing)| {
        let other = parsed.raw(*group)?;
        let same = parsed.raw(Role::Group).is_some_and(|own| same_group(own, other));
        let is_id = parsed.plain(*thing).is_some_and(|value| value.starts_with('/'));
        let name = parsed.last(*group)?.name.raw;
        (!same && !is_id && parsed.has(*thing)).then_some(name)
    })
}

/// Tries every meaning of every option; keeps those by which no thing has two names and nothing is missing.
fn choose(
    target: &'static Command,
    given: &[Given<'_>],
    choices: &[Vec<&'static Opt>],
    chosen: &mut Vec<&'static Opt>,
    cost: usize,
    best: &mut Vec<(usize, Vec<&'static Opt>)>,
) {
    let at = chosen.len();
    let (Some(one), Some(options)) = (given.get(at), choices.get(at)) else {
        let needed = |option: &&Opt| {
            matches!(
                option.need,
                super::grammar::Need::Must | super::grammar::Need::UnlessIds
            )
        };
        let has = |role| chosen.iter().any(|option| option.role == role);
        if has(Role::Ids) || target.own().filter(needed).all(|option| has(option.role)) {
            best.push((cost, chosen.clone()));
        }
        return;
    };
    for (index, option) in options.iter().enumerate() {
        let clash = |(other, known): (&Given<'_>, &&'static Opt)| {
            known.role == option.role && other.name.raw != one.name.raw && plain(other) != plain(one)
        };
        if given.iter().zip(chosen.iter()).any(clash) {
            continue;
        }
        chosen.push(option);
        choose(target, given, choices, chosen, cost + index, best);
        chosen.pop();
    }
}

fn plain(given: &Given<'_>) -> Option<String> {
    given.value.as_ref().map(parse::Value::plain)
}

fn without_twice<'a>(target: &'static Command, given: Vec<Given<'a>>, chosen: &[&'static Opt]) -> Meant<'a> {
    let mut parsed = Parsed {
        command: target,
        given: Vec::new(),
    };
    let mut twice = Vec::new();
    for (mut one, option) in given.into_iter().zip(chosen) {
        one.option = option;
        let known =
            |other: &Given<'_>| other.option.role == one.option.role && other.name.raw != one.name.raw;
        if parsed.given.iter().any(known) {
            twice.push(one);
        } else {
            parsed.given.push(one);
        }
    }
    Meant { parsed, twice }
}

/// Why there is no meaning: something is missing, or one thing has two names.
fn reason(target: &'static Command, given: Vec<Given<'_>>) -> Misfit {
    let parsed = Parsed {
        command: target,
        given,
    };
    match parse::complete(&parsed) {
        Err(misfit) => misfit,
        Ok(()) => Misfit::Ambiguous(
            parsed
                .given
                .iter()
                .map(|one| one.name.raw)
                .collect::<Vec<_>>()
                .join(", "),
        ),
    }
}

fn unclear(given: &[Given<'_>], best: &[(usize, Vec<&'static Opt>)]) -> String {
    let differs = |at: usize| {
        let role = |(_, chosen): &(usize, Vec<&'static Opt>)| chosen.get(at).map(|option| option.role);
        best.windows(2)
            .any(|pair| matches!(pair, [a, b] if role(a) != role(b)))
    };
    let names: Vec<_> = given
        .iter()
        .enumerate()
        .filter(|(at, _)| differs(*at))
        .map(|(_, one)| one.name.raw)
        .collect();
    names.join(", ")
}
