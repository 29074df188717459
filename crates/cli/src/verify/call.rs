//! One call after the other.

use std::path::{Path, PathBuf};

use serde_json::Value;
use trainyard_migrate::az::grammar::Dialect;
use trainyard_migrate::call::{Call, Verdict};
use trainyard_migrate::edit::apply;
use trainyard_migrate::json;
use trainyard_migrate::known::{Known, REGION_MARK};
use trainyard_migrate::verify::az::{self, Around};
use trainyard_migrate::verify::compare::difference;
use trainyard_migrate::verify::pair::{Forms, forms};
use trainyard_migrate::verify::place::{Place, ready, ready_for_current, workspace};
use trainyard_migrate::verify::regions::Regions;
use trainyard_migrate::verify::{REGION, Replay, file};

use super::Finding;
use super::program::program;
use super::world::{Outcome, run};
use crate::serve::Scratches;

/// A config file larger than this is not read.
const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// Compares calls.
pub struct Verifier {
    scratches: Scratches,
}

/// A file with its calls.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Where it is: config files are read beside it.
    pub path: &'a Path,
    /// Its text.
    pub text: &'a str,
    /// What was found in it.
    pub calls: &'a [Call],
    /// What was told.
    pub known: &'a Known,
}

impl Asked<'_> {
    fn forms(&self, call: &Call) -> Result<Option<Forms>, String> {
        let notebook = self.path.extension().is_some_and(|ending| ending == "ipynb");
        forms(self.text, call, notebook).map_err(|error| error.to_string())
    }

    /// A config file beside the script, as it is.
    fn config(&self, name: &str) -> Option<String> {
        let path: PathBuf = self.path.parent()?.join(name);
        let meta = std::fs::metadata(&path).ok()?;
        let readable = meta.is_file() && meta.len() <= MOST_BYTES;
        readable.then(|| std::fs::read_to_string(path).ok())?
    }

    fn old_config(&self, name: &str) -> Option<Value> {
        serde_json::from_str(&self.config(name)?).ok()
    }

    /// The config file as the kit rewrites it.
    fn new_config(&self, name: &str, region: &str) -> Option<Value> {
        let text = self.config(name)?;
        let known = Known {
            location: Some(region.to_owned()),
            ..self.known.clone()
        };
        let edits: Vec<_> = json::calls(&text, &known)
            .into_iter()
            .filter_map(|call| match call.verdict {
                Verdict::Rewritten(edits) => Some(edits),
                _ => None,
            })
            .flatten()
            .collect();
        serde_json::from_str(&apply(&text, &edits).ok()?).ok()
    }
}

impl Verifier {
    /// Ready to compare.
    ///
    /// # Errors
    /// Where no temporary folder can be made.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            scratches: Scratches::new()?,
        })
    }

    /// What came of each call of a file.
    ///
    /// # Errors
    /// Where the scratch service itself fails.
    pub async fn file(&mut self, asked: Asked<'_>) -> anyhow::Result<Vec<Finding>> {
        let mut regions = Regions::default();
        for call in asked.calls {
            if let Ok(Some(forms)) = asked.forms(call)
                && is_az(call)
                && let Ok(all) = az::old(&forms.old, &around(None, &|name| asked.old_config(name)))
                && let Some((_, replay)) = all.first()
            {
                regions.learn(replay);
            }
        }
        let program = program(self, &asked).await?;
        let mut known = program
            .map(|program| program.findings(asked.text, asked.calls))
            .unwrap_or_default();
        let mut findings = Vec::new();
        for (index, call) in asked.calls.iter().enumerate() {
            findings.push(match known.remove(&index) {
                Some(finding) => finding,
                None => self.call(&asked, call, &regions).await?,
            });
        }
        Ok(findings)
    }

    async fn call(&mut self, asked: &Asked<'_>, call: &Call, regions: &Regions) -> anyhow::Result<Finding> {
        let forms = match asked.forms(call) {
            Ok(Some(forms)) => forms,
            Ok(None) => return Ok(Finding::NotReplayed(undecided(call))),
            Err(why) => return Ok(Finding::Differs(why)),
        };
        self.forms(asked, call, &forms, regions).await
    }

    /// Compares two forms of a call.
    ///
    /// # Errors
    /// Where the scratch service itself fails.
    pub async fn forms(
        &mut self,
        asked: &Asked<'_>,
        call: &Call,
        forms: &Forms,
        regions: &Regions,
    ) -> anyhow::Result<Finding> {
        if call.what.ends_with(" file") {
            return self.json(call, forms).await;
        }
        if !is_az(call) {
            return Ok(Finding::NotReplayed(
                "calls of this language are not replayed".to_owned(),
            ));
        }
        if call.verdict == Verdict::Current {
            return self.current(asked, forms).await;
        }
        self.rewritten(asked, forms, regions).await
    }

    async fn current(&mut self, asked: &Asked<'_>, forms: &Forms) -> anyhow::Result<Finding> {
        let config = |name: &str| asked.old_config(name);
        match az::new(&forms.new, &around(None, &config)) {
            Ok(replay) => self.alone(&replay).await,
            Err(why) => Ok(Finding::NotReplayed(why.to_string())),
        }
    }

    async fn rewritten(
        &mut self,
        asked: &Asked<'_>,
        forms: &Forms,
        regions: &Regions,
    ) -> anyhow::Result<Finding> {
        let config = |name: &str| asked.old_config(name);
        let olds = az::old(&forms.old, &around(None, &config));
        let first = |region| az::new(&forms.new, &around(region, &config));
        let olds = match olds {
            Ok(olds) => olds,
            // No version took it: only what it becomes can be tried.
            Err(why) => {
                return Ok(match first(None) {
                    Ok(replay) => self.alone(&replay).await?,
                    Err(_) => Finding::NotReplayed(why.to_string()),
                });
            }
        };
        let mut results = Vec::new();
        for (dialect, old) in olds {
            let new = match first(None) {
                Ok(new) => new,
                Err(why) => {
                    return Ok(Finding::Differs(format!(
                        "the new form is no call of the new version: {why}"
                    )));
                }
            };
            let region = region_for(&old, &new, regions);
            let Ok(olds) = az::old(&forms.old, &around(Some(&region), &config)) else {
                continue;
            };
            let converted = |name: &str| asked.new_config(name, &region);
            let Ok(new) = az::new(&forms.new, &around(Some(&region), &converted)) else {
                continue;
            };
            for (again, old) in olds.into_iter().filter(|(again, _)| *again == dialect) {
                results.push((again, self.both(&old, &new, &region).await?));
            }
        }
        Ok(judge(asked.known.dialect, results))
    }

    async fn json(&mut self, call: &Call, forms: &Forms) -> anyhow::Result<Finding> {
        let mut finding = None;
        for version in file::versions(&forms.old) {
            let found = self.json_of(call, forms, version).await?;
            if !found.is_bad() {
                return Ok(found);
            }
            finding = finding.or(Some(found));
        }
        Ok(finding.unwrap_or_else(|| Finding::NotReplayed("no version takes it".to_owned())))
    }

    async fn json_of(
        &mut self,
        call: &Call,
        forms: &Forms,
        version: &'static str,
    ) -> anyhow::Result<Finding> {
        let old = match file::old(&forms.old, &call.what, version) {
            Ok(old) => old,
            Err(why) => return Ok(Finding::NotReplayed(why.to_string())),
        };
        let region = old.region.clone().unwrap_or_else(|| REGION.to_owned());
        let new = file::new(&forms.new, &call.what, &region);
        match (call.verdict == Verdict::Current, new) {
            (true, Ok(new)) => self.alone(&new).await,
            (true, Err(why)) => Ok(Finding::Refused(why.to_string())),
            (false, Ok(new)) => self.both(&old, &new, &region).await,
            (false, Err(why)) => Ok(Finding::Differs(why.to_string())),
        }
    }

    /// A call of the new version that has no old form.
    pub(super) async fn alone(&mut self, replay: &Replay) -> anyhow::Result<Finding> {
        if let Some(why) = &replay.refused {
            return Ok(Finding::Refused(format!("az itself refuses it: {why}")));
        }
        let outcome = run(&mut self.scratches, &ready_for_current(replay), replay).await?;
        let seen = match outcome {
            Outcome::Seen(seen) => seen,
            Outcome::Unready(why) => return Ok(Finding::NotReplayed(why)),
        };
        let refused = seen.answers.iter().find(|answer| !answer.is_done());
        Ok(match refused {
            Some(answer) => Finding::Refused(format!(
                "{} {}: {}",
                answer.status,
                answer.code(),
                answer.message()
            )),
            None => Finding::Accepted(replay.notes.clone()),
        })
    }

    /// Both forms, each on a service of its own that began with the same things.
    pub(super) async fn both(&mut self, old: &Replay, new: &Replay, region: &str) -> anyhow::Result<Finding> {
        let version = old.steps.first().map_or("2018-03-01", |step| step.version);
        let before = ready(old, region, &Place::Flat { version });
        let was = match run(&mut self.scratches, &before, old).await? {
            Outcome::Seen(seen) => seen,
            Outcome::Unready(why) => return Ok(Finding::NotReplayed(why)),
        };
        // What the new form finds is what the old one needed, where that lives now.
        let before = ready(old, region, &Place::migrated(region));
        let is = match run(&mut self.scratches, &before, new).await? {
            Outcome::Seen(seen) => seen,
            Outcome::Unready(why) => return Ok(Finding::NotReplayed(why)),
        };
        if let Some(what) = difference((old, &was), (new, &is)) {
            return Ok(Finding::Differs(what));
        }
        let mut notes = old.notes.clone();
        notes.extend(new.notes.iter().filter(|note| !old.notes.contains(note)).cloned());
        if has_mark(new) {
            notes.push(format!("{REGION_MARK} is still to be filled in"));
        }
        notes.extend(
            old.refused
                .iter()
                .map(|why| format!("az itself refuses both: {why}")),
        );
        let refused = was.answers.iter().find(|answer| !answer.is_done());
        notes.extend(refused.map(|answer| {
            format!(
                "both are refused: {} {}: {}",
                answer.status,
                answer.code(),
                answer.message()
            )
        }));
        Ok(Finding::Same(notes))
    }
}

/// One finding out of those of all versions that took a call.
fn judge(told: Option<Dialect>, results: Vec<(Dialect, Finding)>) -> Finding {
    let same = |finding: &Finding| matches!(finding, Finding::Same(_));
    let told = results.iter().find(|(dialect, _)| Some(*dialect) == told);
    if let Some((_, finding)) = told {
        return finding.clone();
    }
    let good = results.iter().find(|(_, finding)| same(finding));
    let bad = results.iter().find(|(_, finding)| !same(finding));
    match (good, bad) {
        (Some((dialect, Finding::Same(notes))), Some((other, finding))) => {
            let mut notes = notes.clone();
            let why = finding.why().unwrap_or_default();
            notes.push(format!("as it was in az batchai {dialect}; in {other}: {why}"));
            Finding::Same(notes)
        }
        (Some((_, finding)), _) | (None, Some((_, finding))) => finding.clone(),
        (None, None) => Finding::NotReplayed("no older version takes it".to_owned()),
    }
}

pub(super) fn is_az(call: &Call) -> bool {
    call.what.starts_with("az ") || call.what.split(' ').nth(1) == Some("batchai")
}

pub(super) fn undecided(call: &Call) -> String {
    match &call.verdict {
        Verdict::Undecided(question) => format!("it is undecided: {question}"),
        Verdict::Reported(what) => format!("it is only reported: {what}"),
        Verdict::Current | Verdict::Rewritten(_) => "nothing becomes of it".to_owned(),
    }
}

/// Where the things of a call are: where the old form or its file says, else where the new one looks. A mark that
/// is to be filled in is as good as what it stands for.
pub(super) fn region_for(old: &Replay, new: &Replay, regions: &Regions) -> String {
    let told = old.region.clone();
    let file = || regions.of(old).filter(|_| !has_mark(new)).map(str::to_owned);
    told.or_else(file)
        .or_else(|| region_of(new))
        .unwrap_or_else(|| REGION.to_owned())
}

fn has_mark(new: &Replay) -> bool {
    new.workspace.as_deref() == Some(workspace(REGION_MARK).as_str())
}

fn region_of(new: &Replay) -> Option<String> {
    let workspace = new.workspace.as_deref()?;
    workspace.strip_prefix("migrated-").map(str::to_lowercase)
}

fn around<'a>(region: Option<&'a str>, config: &'a dyn Fn(&str) -> Option<Value>) -> Around<'a> {
    Around { region, config }
}
