//! The words of a call, read by the grammar of a dialect.

use std::ops::Range;

use super::grammar::{Command, Dialect, Need, Opt, Role, Takes};
use super::words::{Word, is_literal, plain, unwrap};

/// A call that one command takes, as far as its words go.
#[derive(Debug, Clone)]
pub struct Parsed<'a> {
    /// Which command.
    pub command: &'static Command,
    /// Its options in the order of the text.
    pub given: Vec<Given<'a>>,
}

/// One option that was given.
#[derive(Debug, Clone)]
pub struct Given<'a> {
    /// Which one.
    pub option: &'static Opt,
    /// Its name as it stands, perhaps only the beginning of it.
    pub name: Word<'a>,
    /// How its value follows.
    pub attach: Attach,
    /// Its value; absent for flags. Of several, from the first to the last.
    pub value: Option<Value<'a>>,
}

impl Given<'_> {
    /// From the name to the end of the value.
    pub fn span(&self) -> Range<usize> {
        self.name.start
            ..self
                .value
                .as_ref()
                .map_or(self.name.end(), |value| value.span.end)
    }
}

/// How a value follows its option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attach {
    /// `-n x`, `--name x`.
    Word,
    /// `-n=x`, `--name=x`.
    Equals,
    /// `-nx`.
    Glued,
}

/// A value as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value<'a> {
    /// Its bytes in the text.
    pub span: Range<usize>,
    /// Its text, quotes included.
    pub raw: &'a str,
    /// The ARM id, where it was cut in pieces over several words.
    pub joined: Option<String>,
}

impl Value<'_> {
    /// What it means where nothing is a variable.
    pub fn plain(&self) -> String {
        self.joined.clone().unwrap_or_else(|| plain(self.raw))
    }
}

impl<'a> Parsed<'a> {
    /// What counts for this role: the last one given.
    pub fn last(&self, role: Role) -> Option<&Given<'a>> {
        self.given.iter().rev().find(|given| given.option.role == role)
    }

    /// Whether this role was given.
    pub fn has(&self, role: Role) -> bool {
        self.last(role).is_some()
    }

    /// Its value as it stands.
    pub fn raw(&self, role: Role) -> Option<&'a str> {
        Some(self.last(role)?.value.as_ref()?.raw)
    }

    /// Its value without quotes.
    pub fn plain(&self, role: Role) -> Option<String> {
        Some(self.last(role)?.value.as_ref()?.plain())
    }
}

/// Why a dialect does not take a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// No command has these words.
    #[error("there is no command {0:?}")]
    NoCommand(String),
    /// The command has no such option.
    #[error("`{command}` has no option {option}")]
    Unknown {
        /// Words of the command.
        command: &'static str,
        /// The option as it stands.
        option: String,
    },
    /// The beginning of several options.
    #[error("{0} is the beginning of several options")]
    Ambiguous(String),
    /// An option without its value.
    #[error("{0} has no value")]
    NoValue(String),
    /// A flag with a value.
    #[error("{0} takes no value")]
    NoFlagValue(String),
    /// A variable that may hold several words.
    #[error("{0} may hold options, which can't be seen here")]
    Splice(String),
    /// A word where an option should be.
    #[error("the word {0:?} belongs to no option")]
    Stray(String),
    /// Options that must be there.
    #[error("`{command}` needs {}, which the call does not have", options.join(" and "))]
    Missing {
        /// Words of the command.
        command: &'static str,
        /// Names of the options.
        options: Vec<&'static str>,
    },
    /// A value which is not one of those that the option takes.
    #[error("{option} does not take the value {value:?}")]
    BadValue {
        /// Name of the option.
        option: &'static str,
        /// What was given.
        value: String,
    },
}

/// The words of the command: those before the first option, as far as any dialect could have them.
pub fn path(words: &[Word<'_>]) -> Vec<String> {
    words
        .iter()
        .take_while(|word| !word.is_option())
        .map(|word| word.plain())
        .collect()
}

/// The command of `dialect` which these words name.
///
/// # Errors
/// [`Misfit::NoCommand`], or [`Misfit::Splice`] where a variable stands for a word of it.
pub fn command(dialect: Dialect, words: &[Word<'_>]) -> Result<(&'static Command, usize), Misfit> {
    let path = path(words);
    let fits = |count: usize| Some((dialect.command(&path.get(..count)?.join(" "))?, count));
    if let Some(found) = (1..=3.min(path.len())).rev().find_map(fits) {
        return Ok(found);
    }
    match words.iter().take(path.len().min(3)).find(|word| word.is_splice()) {
        Some(word) => Err(Misfit::Splice(word.raw.to_owned())),
        None => Err(Misfit::NoCommand(path.join(" "))),
    }
}

/// Reads the words after those of the command. `find` names the option of a text.
///
/// # Errors
/// The first word which does not fit.
pub fn options<'a>(
    words: &[Word<'a>],
    join_ids: bool,
    mut find: impl FnMut(&str) -> Result<&'static Opt, Misfit>,
) -> Result<Vec<Given<'a>>, Misfit> {
    let mut given = Vec::new();
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        if !word.is_option() {
            return Err(if word.is_splice() {
                Misfit::Splice(word.raw.to_owned())
            } else {
                Misfit::Stray(word.raw.to_owned())
            });
        }
        let (name, attached, option) = option(word, &mut find)?;
        let mut taken = 0;
        let (attach, value) = match (option.takes, attached) {
            (Takes::Flag, None) => (Attach::Word, None),
            (Takes::Flag, Some(_)) => return Err(Misfit::NoFlagValue(name.raw.to_owned())),
            (_, Some((attach, value))) => (attach, Some(value)),
            (takes, None) => {
                let values = after.iter().take_while(|word| !word.is_option());
                taken = match takes {
                    Takes::Many => values.count(),
                    _ if join_ids => pieces_of_id(after),
                    _ => values.take(1).count(),
                };
                let value = value(after.get(..taken).unwrap_or_default());
                (
                    Attach::Word,
                    Some(value.ok_or_else(|| Misfit::NoValue(name.raw.to_owned()))?),
                )
            }
        };
        given.push(Given {
            option,
            name,
            attach,
            value,
        });
        rest = after.get(taken..).unwrap_or_default();
    }
    Ok(given)
}

/// One value, or an ARM id that was cut in pieces: the number of words.
fn pieces_of_id(words: &[Word<'_>]) -> usize {
    let mut values = words.iter().take_while(|word| !word.is_option());
    let Some(first) = values.next() else { return 0 };
    if !first.plain().to_ascii_lowercase().starts_with("/subscriptions/") {
        return 1;
    }
    1 + values.take_while(|word| word.plain().contains('/')).count()
}

fn value<'a>(words: &[Word<'a>]) -> Option<Value<'a>> {
    let (first, last) = (words.first()?, words.last()?);
    let several = words.len() > 1;
    Some(Value {
        span: first.start..last.end(),
        raw: first.raw,
        joined: several.then(|| words.iter().map(Word::plain).collect()),
    })
}

type Attached<'a> = Option<(Attach, Value<'a>)>;

/// An option word in two: the name, and the value in the same word.
fn option<'a>(
    word: &Word<'a>,
    find: &mut impl FnMut(&str) -> Result<&'static Opt, Misfit>,
) -> Result<(Word<'a>, Attached<'a>, &'static Opt), Misfit> {
    let (open, inner, _) = unwrap(word.raw);
    let start = word.start + open.len();
    let part = |from: usize, to: usize| Word {
        start: start + from,
        raw: inner.get(from..to).unwrap_or_default(),
    };
    let attached = |attach, from| {
        let part = part(from, inner.len());
        let value = Value {
            span: part.span(),
            raw: part.raw,
            joined: None,
        };
        Some((attach, value))
    };
    if let Some(at) = inner.find('=')
        && let Ok(option) = find(part(0, at).raw)
    {
        return Ok((part(0, at), attached(Attach::Equals, at + 1), option));
    }
    let whole = find(inner);
    if whole.is_err() && !inner.starts_with("--") && inner.is_char_boundary(2) && inner.len() > 2 {
        let option = find(part(0, 2).raw)?;
        return Ok((part(0, 2), attached(Attach::Glued, 2), option));
    }
    Ok((part(0, inner.len()), None, whole?))
}

/// Reads a call by the grammar of one dialect, as its own parser did, and looks whether all that must be there
/// is there. `words` are those after `az batchai`.
///
/// # Errors
/// What does not fit.
pub fn call<'a>(dialect: Dialect, words: &[Word<'a>]) -> Result<Parsed<'a>, Misfit> {
    let (command, count) = command(dialect, words)?;
    let find = |name: &str| resolve(command, name);
    let given = options(words.get(count..).unwrap_or_default(), false, find)?;
    let parsed = Parsed { command, given };
    complete(&parsed)?;
    values(dialect, &parsed)?;
    Ok(parsed)
}

/// The option of `command` with this text.
///
/// # Errors
/// [`Misfit::Unknown`], [`Misfit::Ambiguous`].
pub fn resolve(command: &'static Command, name: &str) -> Result<&'static Opt, Misfit> {
    command.resolve(name).map_err(|could_be| match could_be.len() {
        0 => Misfit::Unknown {
            command: command.path,
            option: name.to_owned(),
        },
        _ => Misfit::Ambiguous(name.to_owned()),
    })
}

/// Whether all that must be there is there. The group and the region may come from the configuration.
///
/// # Errors
/// [`Misfit::Missing`].
pub fn complete(parsed: &Parsed<'_>) -> Result<(), Misfit> {
    let ids = parsed.has(Role::Ids);
    let needed = |option: &&Opt| match option.need {
        Need::Must => true,
        Need::UnlessIds => !ids,
        Need::Free | Need::Default | Need::DefaultOrIds => false,
    };
    let missing = |option: &&'static Opt| needed(option) && !parsed.has(option.role);
    let options: Vec<_> = parsed.command.own().filter(missing).map(Opt::long).collect();
    if options.is_empty() {
        return Ok(());
    }
    Err(Misfit::Missing {
        command: parsed.command.path,
        options,
    })
}

/// Whether values that were checked by the parser of this dialect would have passed.
///
/// # Errors
/// [`Misfit::BadValue`].
pub fn values(dialect: Dialect, parsed: &Parsed<'_>) -> Result<(), Misfit> {
    for given in &parsed.given {
        let Some(value) = given.value.as_ref().map(Value::plain) else {
            continue;
        };
        if is_literal(&value) && !takes(dialect, given.option.role, &value) {
            return Err(Misfit::BadValue {
                option: given.option.long(),
                value,
            });
        }
    }
    Ok(())
}

fn takes(dialect: Dialect, role: Role, value: &str) -> bool {
    let one_of = |choices: &[&str]| choices.iter().any(|choice| choice.eq_ignore_ascii_case(value));
    match role {
        Role::Min | Role::Max | Role::DiskCount | Role::DiskSize => value.trim().parse::<i64>().is_ok(),
        Role::Sku if dialect != Dialect::V01 => one_of(&["Premium_LRS", "Standard_LRS"]),
        Role::Caching => one_of(&["none", "readonly", "readwrite"]),
        Role::VmPriority => one_of(&["dedicated", "lowpriority"]),
        // 0.1 knew two images; a colon shows a later version.
        Role::Image if dialect == Dialect::V01 => !value.contains(':'),
        _ => true,
    }
}
