//! What the operations of a program send, by the rules of the SDK it is written for.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Value, json};
use tree_sitter::Node;

use super::evaluate::{Evaluator, is_unknown, put_ids};
use super::module::Module;
use super::operation_call::Site;
use super::references;
use crate::known::{EXPERIMENT, Known};
use crate::syntax::parse;
use crate::verify::place::{Kind, Place, in_our_subscription, needs_of, provider};
use crate::verify::{GROUP, Need, NotReplayed, REGION, Replay, Request, SUBSCRIPTION, az, bodies, standin};

/// One call of an operation.
#[derive(Debug)]
pub struct Operation {
    /// All of the call.
    pub span: Range<usize>,
    /// `clusters.create`.
    pub what: String,
    /// What it does.
    pub replay: Result<Replay, NotReplayed>,
    /// Pieces of the program, constructors and values, that it is made of.
    pub parts: Vec<Range<usize>>,
}

/// The api-version of a program for the older SDKs: of 0.2.0 where it has the model that only this one has.
fn version(text: &str, old: bool) -> &'static str {
    match old {
        false => crate::verify::CURRENT,
        true if text.contains("EnvironmentSetting") => "2017-09-01-preview",
        true => "2018-03-01",
    }
}

/// Every operation of the program `text`, in order; `old` where it is written for the older SDKs.
pub fn operations(text: &str, old: bool) -> Vec<Operation> {
    let Some(tree) = parse(&tree_sitter_python::LANGUAGE.into(), text) else {
        return Vec::new();
    };
    let known = Known::default();
    let module = Module::new(text, &known, tree.root_node());
    let evaluator = Evaluator::new(&module);
    let sites = module
        .nodes
        .iter()
        .filter(|node| node.kind() == "call" && !node.has_error());
    sites
        .filter_map(|node| references::site(&module, *node))
        .map(|site| {
            let call = Call {
                module: &module,
                evaluator: &evaluator,
                site: &site,
                old,
                version: version(text, old),
            };
            let replay = call.replay();
            Operation {
                span: site.call.byte_range(),
                what: format!("{}.{}", module.of(site.target.group), module.of(site.method)),
                replay,
                parts: evaluator.take_seen(),
            }
        })
        .collect()
}

struct Call<'a, 'm, 't> {
    module: &'m Module<'t>,
    evaluator: &'a Evaluator<'m, 't>,
    site: &'a Site<'t>,
    old: bool,
    version: &'static str,
}

impl<'t> Call<'_, '_, 't> {
    /// The argument of this keyword, or at its place among `names`.
    fn argument(&self, names: &[&str], name: &str) -> Option<Node<'t>> {
        let place = names.iter().position(|other| *other == name)?;
        let all = &self.site.arguments;
        let found = all
            .iter()
            .find(|argument| argument.name == Some(name))
            .or_else(|| {
                all.get(place)
                    .filter(|argument| argument.name.is_none() && !argument.is_star())
            });
        found.map(|argument| argument.value)
    }

    fn name(&self, names: &[&str], name: &str) -> Option<String> {
        let node = self.argument(names, name)?;
        Some(standin::name(&self.evaluator.text(node)))
    }

    fn replay(&self) -> Result<Replay, NotReplayed> {
        let group = self.module.of(self.site.target.group);
        let method = self.module.of(self.site.method);
        if self.site.arguments.iter().any(super::module::Argument::is_star) {
            return Err(NotReplayed::because("its arguments are not all in the text"));
        }
        let (kind, own) = match group {
            "clusters" => (Kind::Cluster, "cluster_name"),
            "file_servers" | "fileservers" => (Kind::FileServer, "file_server_name"),
            "jobs" => (Kind::Job, "job_name"),
            "workspaces" | "experiments" => return self.home(group, method),
            "usage" | "usages" => return Ok(self.usages()),
            _ => return Err(NotReplayed::because("nothing is known about what it does")),
        };
        let mut names = vec!["resource_group_name"];
        if !self.old {
            names.push("workspace_name");
            if kind == Kind::Job {
                names.push("experiment_name");
            }
        }
        let options = match group {
            "clusters" if self.old => "clusters_list_by_resource_group_options",
            "clusters" => "clusters_list_by_workspace_options",
            "jobs" if self.old => "jobs_list_by_resource_group_options",
            "jobs" => "jobs_list_by_experiment_options",
            _ if self.old => "file_servers_list_by_resource_group_options",
            _ => "file_servers_list_by_workspace_options",
        };
        match method {
            "create" => names.extend([own, "parameters"]),
            "update" if self.old => names.extend([own, "tags", "scale_settings"]),
            "update" => names.extend([own, "scale_settings"]),
            "list_output_files" => names.extend([own, "jobs_list_output_files_options"]),
            "list_by_resource_group" | "list_by_workspace" | "list_by_experiment" => names.push(options),
            _ => names.push(own),
        }
        let of = Of {
            call: self,
            kind,
            own,
            names,
        };
        of.replay(method)
    }

    fn home(&self, group: &str, method: &str) -> Result<Replay, NotReplayed> {
        let names: &[&str] = match (group, method) {
            ("workspaces", "create") => &["resource_group_name", "workspace_name", "location"],
            ("workspaces", _) => &["resource_group_name", "workspace_name"],
            _ => &["resource_group_name", "workspace_name", "experiment_name"],
        };
        let name = |wanted| self.name(names, wanted);
        let group_name = name("resource_group_name").unwrap_or_else(|| GROUP.to_owned());
        let workspaces = format!("{}/workspaces", provider(&group_name));
        let workspace = name("workspace_name");
        let experiments = format!(
            "{workspaces}/{}/experiments",
            workspace.clone().unwrap_or_default()
        );
        let experiment = name("experiment_name");
        let path = match (group, method) {
            ("workspaces", "list") => {
                format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.BatchAI/workspaces")
            }
            ("workspaces", "list_by_resource_group") => workspaces,
            ("workspaces", _) => format!("{workspaces}/{}", workspace.clone().unwrap_or_default()),
            (_, "list_by_workspace") => experiments,
            _ => format!("{experiments}/{}", experiment.clone().unwrap_or_default()),
        };
        let mut step = Request::new(
            match method {
                "create" => "PUT",
                "delete" => "DELETE",
                _ => "GET",
            },
            path,
            self.version,
        );
        if group == "workspaces" && method == "create" {
            let location = self
                .argument(names, "location")
                .map(|node| self.evaluator.text(node));
            step.body = Some(json!({ "location": az::region(&location.unwrap_or_default()) }));
        }
        Ok(Replay {
            group: group_name,
            workspace,
            experiment,
            steps: vec![step],
            ..Replay::default()
        })
    }

    fn usages(&self) -> Replay {
        let location = self.name(&["location"], "location").unwrap_or_default();
        let location = az::region(&location);
        let path =
            format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.BatchAI/locations/{location}/usages");
        // 0.2.0 had none.
        let version = if self.old { "2018-03-01" } else { self.version };
        Replay {
            group: GROUP.to_owned(),
            // Its rows differ from version to version, so the region is compared here.
            client: BTreeMap::from([("location", location)]),
            steps: vec![Request::new("GET", path, version)],
            ..Replay::default()
        }
    }
}

/// A call on a cluster, file server or job.
struct Of<'a, 'b, 'm, 't> {
    call: &'a Call<'b, 'm, 't>,
    kind: Kind,
    own: &'static str,
    names: Vec<&'static str>,
}

impl Of<'_, '_, '_, '_> {
    fn name(&self, name: &str) -> Option<String> {
        self.call.name(&self.names, name)
    }

    fn value(&self, name: &str) -> Option<Value> {
        let node = self.call.argument(&self.names, name)?;
        Some(self.call.evaluator.value(node))
    }

    fn group(&self) -> String {
        let name = self.name("resource_group_name").filter(|name| !name.is_empty());
        name.unwrap_or_else(|| GROUP.to_owned())
    }

    fn place(&self) -> Result<Place, NotReplayed> {
        if self.call.old {
            return Ok(Place::Flat {
                version: self.call.version,
            });
        }
        let missing = |what: &str| NotReplayed::because(format!("it names no {what}"));
        let experiment = self.name("experiment_name");
        Ok(Place::Nested {
            workspace: self.name("workspace_name").ok_or_else(|| missing("workspace"))?,
            experiment: match experiment {
                None if self.kind == Kind::Job => return Err(missing("experiment")),
                other => other.unwrap_or_else(|| EXPERIMENT.to_owned()),
            },
        })
    }

    fn replay(&self, method: &str) -> Result<Replay, NotReplayed> {
        let place = self.place()?;
        let given = &self.call.site.arguments;
        let new = given
            .iter()
            .any(|argument| matches!(argument.name, Some("workspace_name" | "experiment_name")))
            || given.iter().filter(|argument| argument.name.is_none()).count() > self.names.len();
        if self.call.old && new {
            return Err(NotReplayed::because("it is no call of the older versions"));
        }
        let listing = method.starts_with("list_by") || method == "list";
        let own = if listing { None } else { self.name(self.own) };
        if own.is_none() && !listing && !self.call.site.partial {
            return Err(NotReplayed::because(format!("it has no {}", self.own)));
        }
        // What `partial` leaves open comes later.
        let own = own.unwrap_or_else(|| "anything".to_owned());
        let path = place.path(&self.group(), self.kind, &own);
        let (verb, path) = match method {
            "create" => ("PUT", path),
            "get" => ("GET", path),
            "delete" => ("DELETE", path),
            "update" => ("PATCH", path),
            "terminate" => ("POST", format!("{path}/terminate")),
            "list_remote_login_information" => ("POST", format!("{path}/listRemoteLoginInformation")),
            "list_output_files" => ("POST", self.files(&path)),
            "list" => (
                "GET",
                format!(
                    "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.BatchAI/{}",
                    self.kind.segment()
                ),
            ),
            _ if listing => ("GET", place.list(&self.group(), self.kind)),
            _ => return Err(NotReplayed::because("nothing is known about what it does")),
        };
        let mut replay = Replay {
            group: self.group(),
            steps: vec![Request::new(verb, path, place.version())],
            client: self.client(),
            ..Replay::default()
        };
        if let Place::Nested {
            workspace,
            experiment,
        } = &place
        {
            replay.workspace = Some(workspace.clone());
            replay.experiment = Some(experiment.clone());
        }
        match method {
            "create" => self.create(&place, &mut replay),
            _ => replay.needs.push(Need {
                kind: self.kind,
                group: self.group(),
                name: own,
                output: (method == "list_output_files").then(|| self.output()),
            }),
        }
        if method == "update" {
            let scale = self
                .value("scale_settings")
                .filter(|scale| !scale.is_null() && !is_unknown(scale));
            let scale = scale.unwrap_or_else(|| json!({"manual": {"targetNodeCount": 1}}));
            for step in &mut replay.steps {
                step.body = Some(json!({"properties": {"scaleSettings": scale}}));
            }
        }
        Ok(replay)
    }

    fn create(&self, place: &Place, replay: &mut Replay) {
        let told = self
            .value("parameters")
            .filter(|value| value.get("properties").is_some());
        if told.is_none() {
            replay
                .notes
                .push("its parameters are not in the text: the smallest stood in for them".to_owned());
        }
        let cluster = place.path(&self.group(), Kind::Cluster, bodies::CLUSTER);
        let mut body = told.unwrap_or_else(|| match self.kind {
            Kind::Cluster => bodies::cluster(),
            Kind::FileServer => bodies::file_server(),
            Kind::Job => bodies::job(&cluster, None),
        });
        let server = place.path(&self.group(), Kind::FileServer, "anyserver");
        put_ids(&mut body, "", &|name| match name {
            "cluster" => Some(cluster.clone()),
            "fileServer" => Some(server.clone()),
            _ => None,
        });
        if let Ok(ours) = serde_json::from_str(&in_our_subscription(&body.to_string())) {
            body = ours;
        }
        let location = body.get("location").map(|location| match location.as_str() {
            Some(text) => az::region(text),
            None => az::region(
                location
                    .get("$unknown")
                    .and_then(Value::as_str)
                    .unwrap_or_default(),
            ),
        });
        if self.call.old {
            let region = location.clone().unwrap_or_else(|| REGION.to_owned());
            if let Some(members) = body.as_object_mut() {
                members.insert("location".to_owned(), region.into());
            }
            replay.region = location;
        }
        replay.needs.extend(needs_of(&body));
        for step in &mut replay.steps {
            step.body = Some(body.clone());
        }
    }

    fn output(&self) -> String {
        let options = self.value("jobs_list_output_files_options").unwrap_or_default();
        let id = options.get("outputdirectoryid").and_then(Value::as_str);
        standin::name(id.unwrap_or("stdouterr"))
    }

    fn files(&self, path: &str) -> String {
        format!("{path}/listOutputFiles?outputdirectoryid={}", self.output())
    }

    /// What no server sees: whether it waits, and the options of lists.
    fn client(&self) -> BTreeMap<&'static str, String> {
        let mut client = BTreeMap::new();
        let keyword = |name: &str| {
            let argument = self
                .call
                .site
                .arguments
                .iter()
                .find(|argument| argument.name == Some(name))?;
            Some(self.call.evaluator.value(argument.value))
        };
        if keyword("raw") == Some(true.into()) || keyword("polling") == Some(false.into()) {
            client.insert("waiting", "it does not wait".to_owned());
        }
        for name in self.names.iter().filter(|name| name.ends_with("_options")) {
            let Some(Value::Object(options)) = self.value(name) else {
                continue;
            };
            for (key, value) in options {
                let key = match key.as_str() {
                    "linkexpiryinminutes" => "linkexpiryinminutes",
                    "maxResults" => "max_results",
                    "directory" => "directory",
                    "filter" => "filter",
                    "select" => "select",
                    _ => continue,
                };
                client.insert(key, value.to_string());
            }
        }
        client
    }
}
