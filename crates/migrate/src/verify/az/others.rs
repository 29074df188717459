//! Every command that creates nothing out of a file.

use serde_json::json;

use super::super::place::{Kind, named, provider};
use super::super::standin;
use super::super::{Need, NotReplayed, Replay, Request, SUBSCRIPTION};
use super::{Call, cluster, options};
use crate::az::grammar::{Dialect, Role};

/// What the call does.
pub fn replay(call: &Call<'_>) -> Result<Replay, NotReplayed> {
    let words: Vec<&str> = call.options.parsed.command.becomes.split(' ').collect();
    let (kind, role) = match words.as_slice() {
        ["cluster", ..] => (Kind::Cluster, Role::Cluster),
        ["file-server", ..] => (Kind::FileServer, Role::FileServer),
        ["job", ..] => (Kind::Job, Role::Job),
        ["workspace", verb] => return Ok(workspace(call, verb)),
        ["experiment", verb] => return Ok(experiment(call, verb)),
        ["list-usages"] => return Ok(usages(call)),
        _ => return Err(NotReplayed::because("nothing is known about what it does")),
    };
    let call = Of { call, kind, role };
    match words.get(1..).unwrap_or_default() {
        ["show"] => Ok(call.on("GET", "")),
        ["delete"] => Ok(call.asking(call.on("DELETE", ""))),
        ["terminate"] => {
            // 0.1 never asked.
            let sent = call.on("POST", "/terminate");
            Ok(if call.call.dialect == Dialect::V01 {
                call.waiting(sent)
            } else {
                call.asking(sent)
            })
        }
        ["wait"] => Ok(call.noted(call.on("GET", ""), "it would wait until the job has ended")),
        ["list"] => Ok(call.list()),
        ["resize" | "auto-scale"] => Ok(call.patched()),
        ["node", "list"] => Ok(call.on("POST", "/listRemoteLoginInformation")),
        ["node", "exec"] => Ok(call.noted(
            call.on("POST", "/listRemoteLoginInformation"),
            "the command on the node is not run",
        )),
        ["file", "list"] if kind == Kind::Cluster => {
            Ok(call.links(call.noted(call.on("GET", ""), "the storage of the setup task is not asked")))
        }
        ["file", "list"] => Ok(call.files()),
        ["file", "stream"] => {
            Ok(call.noted(call.files(), "the job has no output here, so nothing is streamed"))
        }
        _ => Err(NotReplayed::because("nothing is known about what it does")),
    }
}

/// A call on a thing of this kind.
struct Of<'a> {
    call: &'a Call<'a>,
    kind: Kind,
    role: Role,
}

impl Of<'_> {
    fn need(&self, output: Option<String>) -> Need {
        if let Some(id) = self.call.id() {
            return id.need;
        }
        Need {
            kind: self.kind,
            group: self.call.options.group(),
            name: self.call.options.name(self.role).unwrap_or_default(),
            output,
        }
    }

    fn path(&self) -> String {
        let id = self.call.options.text(Role::Ids);
        let id = id
            .map(|id| super::in_our_subscription(&id))
            .filter(|id| named(id).is_some());
        id.unwrap_or_else(|| self.call.path(self.kind, self.role))
    }

    fn on(&self, method: &'static str, rest: &str) -> Replay {
        Replay {
            needs: vec![self.need(None)],
            steps: vec![self.call.request(method, format!("{}{rest}", self.path()))],
            ..Replay::default()
        }
    }

    fn noted(&self, mut replay: Replay, note: &str) -> Replay {
        replay.notes.push(note.to_owned());
        replay
    }

    /// A call that asks first.
    fn asking(&self, mut replay: Replay) -> Replay {
        if !self.call.options.has(Role::Yes) {
            replay.client.insert("--yes", "it asks first".to_owned());
        }
        self.waiting(replay)
    }

    fn waiting(&self, mut replay: Replay) -> Replay {
        if self.call.options.has(Role::NoWait) {
            replay.client.insert("--no-wait", "given".to_owned());
        }
        replay
    }

    fn patched(&self) -> Replay {
        let mut replay = self.on("PATCH", "");
        for step in &mut replay.steps {
            step.body = Some(cluster::update(self.call));
        }
        replay
    }

    fn list(&self) -> Replay {
        let options = &self.call.options;
        let group = options.name(Role::Group).filter(|name| !name.is_empty());
        let old = self.call.dialect != Dialect::V03;
        let (path, note) = if group.is_none() && old {
            let all = format!(
                "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.BatchAI/{}",
                self.kind.segment()
            );
            (all, Some("without a group it walks over the whole subscription"))
        } else {
            (self.call.place().list(&options.group(), self.kind), None)
        };
        Replay {
            needs: vec![Need {
                kind: self.kind,
                group: options.group(),
                name: "anything".to_owned(),
                output: None,
            }],
            steps: vec![self.call.request("GET", path)],
            notes: note.map(str::to_owned).into_iter().collect(),
            ..Replay::default()
        }
    }

    /// How links are asked for, which the answer does not show while there are no files.
    fn links(&self, mut replay: Replay) -> Replay {
        let options = &self.call.options;
        replay.client.insert(
            "--path",
            options.text(Role::Path).unwrap_or_else(|| ".".to_owned()),
        );
        if self.call.options.parsed.command.becomes.ends_with("file list") {
            let minutes = options.text(Role::Expiry).unwrap_or_else(|| "60".to_owned());
            replay.client.insert("--expiry", minutes);
        }
        replay
    }

    fn files(&self) -> Replay {
        let options = &self.call.options;
        let output = options
            .name(Role::Directory)
            .unwrap_or_else(|| "stdouterr".to_owned());
        let mut replay = self.on("POST", &format!("/listOutputFiles?outputdirectoryid={output}"));
        replay.needs = vec![self.need(Some(output.clone()))];
        replay.client.insert("--output-directory-id", output);
        self.links(replay)
    }
}

fn workspace(call: &Call<'_>, verb: &str) -> Replay {
    let options = &call.options;
    let name = options.name(Role::Workspace).unwrap_or_default();
    let at = format!("{}/workspaces", provider(&options.group()));
    let step = match verb {
        "create" => {
            let location = options
                .text(Role::Location)
                .map_or_else(|| super::super::REGION.to_owned(), |l| options::region(&l));
            call.request("PUT", format!("{at}/{name}"))
                .with(json!({ "location": location }))
        }
        "list" if !options.has(Role::Group) => call.request(
            "GET",
            format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.BatchAI/workspaces"),
        ),
        "list" => call.request("GET", at),
        _ => call.request(method(verb), id_or(call, format!("{at}/{name}"))),
    };
    one(step)
}

fn experiment(call: &Call<'_>, verb: &str) -> Replay {
    let options = &call.options;
    let workspace = options.name(Role::Workspace).unwrap_or_default();
    let name = options.name(Role::Experiment).unwrap_or_default();
    let at = format!(
        "{}/workspaces/{workspace}/experiments",
        provider(&options.group())
    );
    one(match verb {
        "create" => call.request("PUT", format!("{at}/{name}")),
        "list" => call.request("GET", at),
        _ => call.request(method(verb), id_or(call, format!("{at}/{name}"))),
    })
}

fn id_or(call: &Call<'_>, path: String) -> String {
    let id = call.options.text(Role::Ids).filter(|id| id.starts_with('/'));
    id.map_or(path, |id| super::in_our_subscription(&id))
}

fn method(verb: &str) -> &'static str {
    if verb == "delete" { "DELETE" } else { "GET" }
}

fn usages(call: &Call<'_>) -> Replay {
    let location = call.options.text(Role::Location).unwrap_or_default();
    let location = options::region(&standin::resolve(&location));
    let mut replay = one(call.request(
        "GET",
        format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.BatchAI/locations/{location}/usages"),
    ));
    // Its rows differ from version to version, so the region is compared here.
    replay.client.insert("--location", location);
    replay
}

fn one(step: Request) -> Replay {
    Replay {
        steps: vec![step],
        ..Replay::default()
    }
}
