//! The verdict on each call of a file.

use std::collections::BTreeSet;

use super::facts::Facts;
use super::grammar::{Command, Dialect, Role};
use super::mixed;
use super::parse::{self, Misfit, Parsed};
use super::remarks;
use super::translate::{self, Source, Translation};
use super::words::{Place, Site, Syntax, Word, unwrap};
use super::write::{Writer, prefixed};
use crate::call::{Call, Verdict};
use crate::edit::Edit;
use crate::known::Known;

/// Groups of `az` that documents wrote after `az batchai` by mistake.
const OTHER_GROUPS: &[&str] = &[
    "group",
    "storage",
    "account",
    "login",
    "network",
    "vm",
    "configure",
];

/// What a call turned out to be.
enum Reading<'a> {
    /// A call of 0.3, or one for help.
    Current(Vec<String>),
    /// A call of 0.1 or 0.2, by each dialect that takes it; `wrong` is the edit of a slip in its words.
    Old(Vec<(Dialect, Parsed<'a>)>, Vec<Edit>),
    /// It names a workspace but has old words, or slips.
    Mixed(Translation),
    /// Nobody can say what was meant.
    Question(String),
    /// Not a call at all: a mention.
    Mention,
    /// A call of another group of `az`.
    Other,
}

/// One call for each site that is one of Batch AI, in the order of the sites, with the index of its site.
pub fn decide(sites: &[Site<'_>], known: &Known) -> Vec<(usize, Call)> {
    let readings: Vec<_> = sites.iter().map(read).collect();
    let facts = facts(&readings);
    let mut needed = BTreeSet::new();
    let mut calls = Vec::new();
    for (index, (site, reading)) in readings.iter().enumerate() {
        let (verdict, remarks) = match reading {
            Reading::Mention | Reading::Other => continue,
            Reading::Current(remarks) => (Verdict::Current, remarks.clone()),
            Reading::Question(question) => (Verdict::Undecided(question.clone()), Vec::new()),
            Reading::Mixed(done) => (Verdict::Rewritten(done.edits.clone()), done.remarks.clone()),
            Reading::Old(fits, slips) => old(site, fits, slips, &facts, known, &mut needed),
        };
        calls.push((
            index,
            Call {
                span: site.span(),
                what: what(site),
                verdict,
                remarks,
            },
        ));
    }
    calls
}

/// The call in a few words: `az batchai job create`.
fn what(site: &Site<'_>) -> String {
    let mut words: Vec<_> = site.words.iter().take(2).map(Word::plain).collect();
    let rest = site.words.get(2..).unwrap_or_default();
    words.extend(parse::path(rest).into_iter().take(3));
    words.join(" ")
}

fn facts(readings: &[(Site<'_>, Reading<'_>)]) -> Facts {
    let mut facts = Facts::default();
    for (site, reading) in readings {
        match reading {
            Reading::Other => facts.learn_other(&site.words),
            Reading::Old(fits, _) => {
                let dialects: Vec<_> = fits.iter().map(|(dialect, _)| *dialect).collect();
                facts.learn_dialects(&dialects);
                let creates = fits
                    .iter()
                    .filter(|(_, parsed)| parsed.command.path.ends_with(" create"));
                creates.take(1).for_each(|(_, parsed)| facts.learn_create(parsed));
            }
            _ => {}
        }
    }
    for (_, reading) in readings {
        if let Reading::Old(fits, _) = reading
            && let Some((_, parsed)) = fits.first()
        {
            facts.learn_job(parsed);
        }
    }
    facts
}

/// What a site is, and as much of it as is the call.
fn read<'a>(site: &Site<'a>) -> (Site<'a>, Reading<'a>) {
    let reading = whole(site);
    let certain = matches!(reading, Reading::Mention | Reading::Other);
    if site.goes_on && !certain {
        let question = "the text goes on after its quote, where more options may be: what is there?";
        return (site.clone(), Reading::Question(question.to_owned()));
    }
    let talk = site.place == Place::Text || site.syntax == Syntax::Loose;
    if talk && matches!(reading, Reading::Question(_)) {
        return sentence(site).unwrap_or((site.clone(), reading));
    }
    (site.clone(), reading)
}

fn whole<'a>(site: &Site<'a>) -> Reading<'a> {
    let second = site.words.get(1).map(Word::plain).unwrap_or_default();
    let rest = site.words.get(2..).unwrap_or_default();
    let options = rest.iter().any(Word::is_option);
    if second != "batchai" && second != "file-server" {
        return Reading::Other;
    }
    if site.place == Place::Text && !options {
        return Reading::Mention;
    }
    if second == "file-server" {
        // `batchai` was forgotten; the words after `az` are the command's.
        let insert = site.words.get(1).map(|word| Edit {
            span: word.start..word.start,
            text: "batchai ".to_owned(),
        });
        let rest = site.words.get(1..).unwrap_or_default();
        return with_slip(site, rest, rest, insert.into_iter().collect());
    }
    if let Some(word) = rest.first().filter(|word| OTHER_GROUPS.contains(&word.raw))
        && let Some(batchai) = site.words.get(1)
    {
        return Reading::Mixed(Translation {
            edits: vec![Edit {
                span: batchai.start..word.start,
                text: String::new(),
            }],
            remarks: vec![format!("`{}` is no command of batchai", word.raw)],
        });
    }
    call(site, rest)
}

/// A call in a text after which the sentence goes on: the call is what stands before the first word that
/// belongs to no option.
fn sentence<'a>(site: &Site<'a>) -> Option<(Site<'a>, Reading<'a>)> {
    let words = site.words.get(2..)?;
    let stray = |dialect| match parse::call(dialect, words) {
        Err(Misfit::Stray(word)) => Some(word),
        _ => None,
    };
    let stray = [Dialect::V03, Dialect::V02, Dialect::V01]
        .into_iter()
        .find_map(stray)?;
    let at = words.iter().position(|word| word.raw == stray)?;
    let has_options = |words: &[Word<'_>]| words.iter().any(Word::is_option);
    if !has_options(words.get(..at)?) || has_options(words.get(at..)?) {
        return None;
    }
    let shorter = Site {
        words: site.words.get(..at + 2)?.to_vec(),
        ..site.clone()
    };
    let reading = whole(&shorter);
    Some((shorter, reading))
}

/// Reads the words after `az batchai`.
fn call<'a>(site: &Site<'a>, words: &[Word<'a>]) -> Reading<'a> {
    if words.iter().any(|word| ["-h", "--help"].contains(&word.raw)) || is_group(words) {
        return Reading::Current(Vec::new());
    }
    if let Ok(parsed) = parse::call(Dialect::V03, words) {
        return Reading::Current(remarks::of_current(&parsed));
    }
    if mixed::is_new(words) {
        return new(site, words, Vec::new());
    }
    let fits = fitting(words);
    if !fits.is_empty() {
        return Reading::Old(fits, Vec::new());
    }
    let path = parse::path(words);
    if let Some(whole) = path.first().and_then(|word| mixed::slip(word))
        && let Some(first) = words.first()
    {
        // The word of the group was forgotten.
        let group = whole.split(' ').next().unwrap_or_default();
        let edit = Edit {
            span: first.start..first.start,
            text: format!("{group} "),
        };
        let added = Word {
            start: first.start,
            raw: group,
        };
        let full: Vec<_> = std::iter::once(added).chain(words.iter().copied()).collect();
        return with_slip(site, words, &full, vec![edit]);
    }
    Reading::Question(complaint(words))
}

/// Whether the words are nothing or only a group, which prints help.
fn is_group(words: &[Word<'_>]) -> bool {
    let group = parse::path(words).join(" ") + " ";
    let inside = |command: &Command| command.path.starts_with(&group);
    let is_path = !words.iter().any(|word| word.is_option() || word.is_splice());
    is_path && (words.is_empty() || Dialect::V03.commands().iter().any(inside))
}

/// A call with words forgotten: `words` as they stand, `full` with what was forgotten.
fn with_slip<'a>(site: &Site<'a>, words: &[Word<'a>], full: &[Word<'a>], slips: Vec<Edit>) -> Reading<'a> {
    if mixed::is_new(full) {
        return new(site, words, slips);
    }
    let fits = fitting(full);
    if fits.is_empty() {
        return Reading::Question(complaint(full));
    }
    Reading::Old(fits, slips)
}

/// A call that shows a workspace but is not one of 0.3 as it stands.
fn new<'a>(site: &Site<'a>, words: &[Word<'a>], slips: Vec<Edit>) -> Reading<'a> {
    let Some((target, count)) = mixed::command(words) else {
        return Reading::Question(Misfit::NoCommand(parse::path(words).join(" ")).to_string());
    };
    let meant = match mixed::read(target, words.get(count..).unwrap_or_default()) {
        Ok(meant) => meant,
        Err(misfit) => return Reading::Question(question_of_new(&misfit)),
    };
    let experiment = meant.parsed.plain(Role::Experiment).unwrap_or_default();
    if target.path.starts_with("job ") && experiment.parse::<u32>().is_ok() {
        return Reading::Question(format!(
            "is -e {experiment} an experiment, or the minutes that a link lives (--expiry now)?"
        ));
    }
    if let Err(misfit) = parse::values(Dialect::V03, &meant.parsed) {
        return Reading::Question(misfit.to_string());
    }
    if let Some(option) = mixed::in_another_group(&meant.parsed) {
        return Reading::Question(format!(
            "{option} is gone, and the new call wants an id there: in which workspace of that group is it?"
        ));
    }
    let mut writer = Writer::new(site, &meant.parsed.given);
    for edit in slips {
        writer.replace(edit.span, edit.text);
    }
    writer.command(words.get(..count).unwrap_or_default(), target);
    let mut remarks = vec!["it had words of several versions".to_owned()];
    for given in &meant.parsed.given {
        match target.of(given.option.role) {
            Some(option) => writer.rename(target, given, option),
            None => {
                writer.remove(given);
                remarks.push(format!("{} is gone: the workspace has its own", given.name.raw));
            }
        }
    }
    for given in &meant.twice {
        writer.remove(given);
    }
    let edits = writer.finish();
    if edits.is_empty() {
        return Reading::Current(remarks::of_current(&meant.parsed));
    }
    Reading::Mixed(Translation { edits, remarks })
}

fn question_of_new(misfit: &Misfit) -> String {
    match misfit {
        Misfit::Missing { options, .. } if options.as_slice() == ["--experiment"] => {
            "the call has a workspace but no experiment: is the job an old one (-e migrated), or in which experiment \
             is it?"
                .to_owned()
        }
        Misfit::Ambiguous(names) => format!("which is meant? {names} could be several things, or name one thing twice"),
        other => format!("{other}: what is meant?"),
    }
}

/// The older dialects that take a call, those in which it would have failed left out.
fn fitting<'a>(words: &[Word<'a>]) -> Vec<(Dialect, Parsed<'a>)> {
    let mut fits: Vec<_> = [Dialect::V01, Dialect::V02]
        .into_iter()
        .filter_map(|dialect| Some((dialect, parse::call(dialect, words).ok()?)))
        .collect();
    if fits.len() > 1 {
        fits.retain(|(dialect, parsed)| *dialect != Dialect::V02 || works_in_02(parsed));
    }
    fits
}

/// Some calls passed the parser of 0.2 and failed afterwards: they were written for 0.1.
fn works_in_02(parsed: &Parsed<'_>) -> bool {
    let file = parsed.has(Role::Config);
    match parsed.command.path {
        "cluster create" => {
            let zero = |role| parsed.plain(role).as_deref() == Some("0");
            let absent = zero(Role::Min) && zero(Role::Max) && !file && !parsed.has(Role::Target);
            parsed.has(Role::Min) == parsed.has(Role::Max) && !absent
        }
        "file-server create" => file || parsed.has(Role::Sku),
        _ => true,
    }
}

/// Why no older dialect takes a call.
fn complaint(words: &[Word<'_>]) -> String {
    // The newer one knows more: its reason is the better one, unless the command was only in 0.1.
    let problem = |dialect| parse::call(dialect, words).err();
    let misfit = match problem(Dialect::V02) {
        Some(Misfit::NoCommand(_)) | None => problem(Dialect::V01),
        some => some,
    };
    match misfit {
        Some(splice @ Misfit::Splice(_)) => format!("{splice}: what is in it?"),
        Some(misfit) => format!("no version took it ({misfit}): what is meant?"),
        None => "what is meant?".to_owned(),
    }
}

/// The verdict on an old call: the translations of all dialects that take it, if they are the same.
fn old(
    site: &Site<'_>,
    fits: &[(Dialect, Parsed<'_>)],
    slips: &[Edit],
    facts: &Facts,
    known: &Known,
    needed: &mut BTreeSet<(Option<String>, String)>,
) -> (Verdict, Vec<String>) {
    let mut all = Vec::new();
    for (dialect, parsed) in fits {
        let source = Source {
            site,
            parsed,
            dialect: *dialect,
            facts,
            known,
        };
        match translate::old(&source) {
            Ok(done) => all.push((*dialect, done)),
            Err(question) => return (Verdict::Undecided(question), Vec::new()),
        }
    }
    let dialect = facts.dialect().or(known.dialect);
    let told = all.iter().find(|(fits, _)| Some(*fits) == dialect);
    let same = all
        .windows(2)
        .all(|pair| matches!(pair, [a, b] if a.1.edits == b.1.edits));
    let chosen = told.or_else(|| all.first().filter(|_| same));
    let (Some((_, done)), Some((_, parsed))) = (chosen, fits.first()) else {
        return (Verdict::Undecided(which_version(fits)), Vec::new());
    };
    let mut edits = slips.to_vec();
    edits.extend(done.edits.iter().cloned());
    let mut remarks = done.remarks.clone();
    if parsed.command.path.ends_with(" create") {
        creates(site, parsed, facts, known, needed, &mut edits, &mut remarks);
    }
    (Verdict::Rewritten(edits), remarks)
}

fn which_version(fits: &[(Dialect, Parsed<'_>)]) -> String {
    let path = fits.first().map_or("", |(_, parsed)| parsed.command.path);
    let differs = match path {
        "job terminate" => "0.1 never asked before it terminated, 0.2 does: which is meant?",
        "file-server create" => "0.1 took Premium_LRS over what the file says, 0.2 takes the file's",
        _ => "--min 0 --max 0 was no node in 0.1, and nothing at all in 0.2",
    };
    format!("was it written for az batchai 0.1 (until March 2018) or 0.2? {differs} (tell it with --cli)")
}

/// Workspace and experiment have to be made once, before the first `create` that is translated.
fn creates(
    site: &Site<'_>,
    parsed: &Parsed<'_>,
    facts: &Facts,
    known: &Known,
    needed: &mut BTreeSet<(Option<String>, String)>,
    edits: &mut Vec<Edit>,
    remarks: &mut Vec<String>,
) {
    let region = facts.region(parsed, known).text;
    let group = parsed
        .raw(Role::Group)
        .or(known.resource_group.as_deref())
        .map(str::to_owned);
    let key = group.as_deref().map(|group| unwrap(group).1.to_owned());
    if !needed.insert((key, region.clone())) {
        return;
    }
    let [workspace, experiment] =
        remarks::creates(group.as_deref(), &region, &prefixed("migrated-", &region, site));
    if known.add_creates && site.own_line && site.place == Place::Code {
        let start = site.span().start;
        let line = site
            .text
            .get(..start)
            .and_then(|before| before.rfind('\n'))
            .map_or(0, |at| at + 1);
        let prefix = site.text.get(line..start).unwrap_or_default();
        let end = if site.text.contains("\r\n") { "\r\n" } else { "\n" };
        edits.push(Edit {
            span: line..line,
            text: format!("{prefix}{workspace}{end}{prefix}{experiment}{end}"),
        });
    } else {
        remarks.push(format!("before it, once: `{workspace}` and `{experiment}`"));
    }
}
