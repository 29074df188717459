//! What clients do.

use http::Method;
use serde_json::{Value, json};

use crate::client::{Answer, GROUP, resource};
use crate::fate::{End, Fate};
use crate::model::{Cluster, Goal, Job, Kind, Life, Operation, Resource, kind_of};
use crate::rng::Rng;
use crate::world::World;
use crate::{Checked, rule};

/// Name of the storage account that breaks now and then.
pub const BROKEN_ACCOUNT: &str = "flaky";

fn name(rng: &mut Rng, prefix: &str, most: u64) -> String {
    format!("{prefix}{}", rng.between(0, most))
}

fn scale(rng: &mut Rng) -> Value {
    if rng.chance(350) {
        let most = rng.between(0, 7);
        let least = rng.between(0, most);
        let first = rng.between(0, most);
        return json!({"autoScale": {
            "minimumNodeCount": least, "maximumNodeCount": most, "initialNodeCount": first
        }});
    }
    let target = rng.between(0, 7);
    let option = *rng
        .pick(&["requeue", "terminate", "waitforjobcompletion"])
        .unwrap_or(&"requeue");
    json!({"manual": {"targetNodeCount": target, "nodeDeallocationOption": option}})
}

/// Whether scale settings may end jobs, and whether they may put them back into the line.
fn hurts(scale: &Value) -> (bool, bool) {
    let option = scale
        .pointer("/manual/nodeDeallocationOption")
        .and_then(Value::as_str);
    (option == Some("terminate"), option == Some("requeue"))
}

fn share() -> Value {
    json!({"azureFileShares": [{
        "accountName": BROKEN_ACCOUNT,
        "azureFileUrl": format!("https://{BROKEN_ACCOUNT}.file.core.windows.net/data"),
        "credentials": {"accountKey": "a2V5"},
        "relativeMountPath": "data"
    }]})
}

/// Most resources that stand at once, so that checking them stays cheap.
pub(crate) const MOST_JOBS: usize = 24;

impl World {
    /// Something a client does.
    pub(crate) fn act(&mut self) -> Checked {
        match self.rng.between(0, 99) {
            0..=3 => self.put_workspace(),
            4..=9 => self.put_experiment(),
            10..=17 => self.put_cluster(),
            18..=25 => self.resize(),
            26..=63 => self.put_job(),
            64..=69 => self.terminate(),
            70..=74 => self.delete("jobs"),
            75 => self.delete("experiments"),
            76 => self.delete("clusters"),
            77 if self.rng.chance(400) => self.delete("workspaces"),
            77..=80 => self.put_again(),
            81..=82 => self.preempt(),
            83..=88 => self.poll(),
            _ => self.get_something(),
        }
    }

    /// Makes the group that everything is in.
    pub(crate) fn put_group(&mut self) -> Checked {
        let answer = self.ask(&Method::PUT, GROUP, Some(&json!({"location": "eastus"})))?;
        rule!(
            matches!(answer.status, 200 | 201),
            "the group was not made: {}",
            answer.text
        );
        Ok(())
    }

    fn workspace_path(&mut self) -> String {
        format!("workspaces/{}", name(&mut self.rng, "w", self.weights.names))
    }

    pub(crate) fn put_workspace(&mut self) -> Checked {
        let path = self.workspace_path();
        self.put(path, json!({"location": "eastus"}), Kind::Workspace)
    }

    pub(crate) fn put_experiment(&mut self) -> Checked {
        let path = format!(
            "{}/experiments/{}",
            self.workspace_path(),
            name(&mut self.rng, "e", self.weights.names)
        );
        self.put(path, Value::Null, Kind::Experiment)
    }

    pub(crate) fn put_cluster(&mut self) -> Checked {
        let path = format!(
            "{}/clusters/{}",
            self.workspace_path(),
            name(&mut self.rng, "c", self.weights.names)
        );
        let scale = scale(&mut self.rng);
        let sizes = ["STANDARD_D1", "STANDARD_D1", "Standard_NC6", "Standard_NC12"];
        let size = *self.rng.pick(&sizes).unwrap_or(&"STANDARD_D1");
        let mut body = json!({"properties": {
            "vmSize": size,
            "scaleSettings": scale,
            "userAccountSettings": {"adminUserName": "sim", "adminUserPassword": "secret"}
        }});
        if self.rng.chance(400) {
            body["properties"]["vmPriority"] = json!("lowpriority");
        }
        if self.rng.chance(150) {
            body["properties"]["nodeSetup"] = json!({"mountVolumes": share()});
        }
        let (terminates, requeues) = hurts(&scale);
        let kind = Kind::Cluster(Cluster {
            scale,
            terminates,
            requeues,
        });
        self.put(path, body, kind)
    }

    pub(crate) fn put_job(&mut self) -> Checked {
        let jobs = self.model.paths("jobs");
        let standing = jobs.iter().filter(|path| self.model.life(path) == Life::Standing);
        if standing.count() >= MOST_JOBS {
            return self.delete("jobs");
        }
        // Jobs look for an experiment and a cluster that stand, mostly.
        let Some(experiment) = self.some("experiments") else {
            return self.put_experiment();
        };
        let Some(cluster) = self.some("clusters") else {
            return self.put_cluster();
        };
        let path = format!("{experiment}/jobs/{}", name(&mut self.rng, "j", 19));
        let most = *self.rng.pick(&[1, 2, 4]).unwrap_or(&1);
        let nodes = self.rng.small(1, most);
        let (member, settings) = match self.rng.between(0, 9) {
            0 | 1 => (
                "pyTorchSettings",
                json!({"pythonScriptFilePath": "/train.py", "communicationBackend": "tcp"}),
            ),
            // A parameter server beside a worker, and nodes that decide and others that do not.
            2 | 3 => (
                "tensorFlowSettings",
                json!({"pythonScriptFilePath": "/train.py", "workerCount": 1}),
            ),
            4 => ("customMpiSettings", json!({"commandLine": "true"})),
            _ => ("customToolkitSettings", json!({"commandLine": "true"})),
        };
        let mut fate = Fate::draw(&mut self.rng, nodes);
        // Only PyTorch has ranks on all nodes; of the others the first node alone has an end of its own.
        if member != "pyTorchSettings" && matches!(fate.end, End::Exits(_)) {
            fate.bad = 0;
        }
        if fate.end == End::Never && !self.weights.endless {
            fate.end = End::Exits(0);
        }
        let priority = *self
            .rng
            .pick(&["low", "normal", "normal", "high"])
            .unwrap_or(&"normal");
        let limited = self.rng.chance(100);
        let share_too = self.rng.chance(100);
        let mut body = json!({"properties": {
            "cluster": {"id": resource(&cluster)},
            "nodeCount": nodes,
            "schedulingPriority": priority,
            "jobPreparation": {"commandLine": fate.command()},
            "stdOutErrPathPrefix": "$AZ_BATCHAI_JOB_TEMP"
        }});
        body["properties"][member] = settings;
        if limited {
            body["properties"]["constraints"] = json!({"maxWallClockTime": "PT45S"});
        }
        if share_too {
            body["properties"]["mountVolumes"] = share();
        }
        let kind = Kind::Job(Job {
            fate,
            nodes,
            stop_asked: self.model.life(&cluster) != Life::Standing,
            cluster,
            limited,
            share: share_too,
            last: None,
        });
        self.put(path, body, kind)
    }

    /// A path of this kind that stands, mostly.
    pub(crate) fn some(&mut self, kind: &str) -> Option<String> {
        let all = self.model.paths(kind);
        let standing: Vec<String> = all.iter().filter(|p| self.model.stands(p)).cloned().collect();
        let from = if self.rng.chance(40) || standing.is_empty() {
            &all
        } else {
            &standing
        };
        self.rng.pick(from).cloned()
    }

    /// PUTs a resource, and holds the answer against what must be.
    fn put(&mut self, path: String, body: Value, kind: Kind) -> Checked {
        let life = self.model.life(&path);
        let same = self.model.resources.get(&path).is_some_and(|r| r.body == body);
        let cluster = match &kind {
            Kind::Job(job) => Some(job.cluster.clone()),
            Kind::Workspace | Kind::Experiment | Kind::Cluster(_) => None,
        };
        // What is being deleted may be gone by now, so its place may be free or not.
        let unsure = |life: Life| life == Life::Deleting;
        let parents = self.model.has_parents(&path);
        let cluster_stands = cluster.as_ref().is_none_or(|c| self.model.stands(c));
        let cluster_unsure = cluster.as_ref().is_some_and(|c| unsure(self.model.life(c)));
        let answer = self.ask(
            &Method::PUT,
            &resource(&path),
            Some(&body).filter(|b| !b.is_null()),
        )?;
        let made = answer.status == 200;
        let refused = matches!(answer.status, 400 | 404 | 409);
        rule!(
            made || refused,
            "PUT {path} was answered {}: {}",
            answer.status,
            answer.text
        );
        match life {
            Life::Standing if parents => {
                rule!(
                    made == same,
                    "PUT {path}, which stands, with {} wish was answered {}: {}",
                    if same { "the same" } else { "another" },
                    answer.status,
                    answer.text
                );
                if made {
                    self.same_etag(&path, &answer)?;
                }
                return Ok(());
            }
            Life::Standing => rule!(!made, "PUT {path} in what is being deleted was answered 200"),
            Life::Deleting | Life::Gone if !parents => {
                rule!(
                    !made,
                    "PUT {path} in what is gone or being deleted was answered 200"
                );
            }
            Life::Deleting => {}
            Life::Gone if cluster_stands => rule!(
                made,
                "PUT {path}, for which nothing stands in the way, was answered {}: {}",
                answer.status,
                answer.text
            ),
            Life::Gone => rule!(
                !made || cluster_unsure,
                "PUT {path} on a cluster that is gone was answered 200"
            ),
        }
        if made {
            self.model.gone(&path);
            self.model.births += 1;
            let resource = Resource {
                life: Life::Standing,
                birth: self.model.births,
                body,
                etag: answer.etag,
                kind,
            };
            self.model.resources.insert(path, resource);
        }
        Ok(())
    }

    /// PUTs something again as it stands.
    fn put_again(&mut self) -> Checked {
        let paths: Vec<String> = self.model.resources.keys().cloned().collect();
        let Some(path) = self.rng.pick(&paths).cloned() else {
            return Ok(());
        };
        if !self.model.stands(&path) {
            return Ok(());
        }
        let Some(body) = self.model.resources.get(&path).map(|r| r.body.clone()) else {
            return Ok(());
        };
        let answer = self.ask(
            &Method::PUT,
            &resource(&path),
            Some(&body).filter(|b| !b.is_null()),
        )?;
        rule!(
            answer.status == 200,
            "PUT {path} again was answered {}: {}",
            answer.status,
            answer.text
        );
        self.same_etag(&path, &answer)
    }

    pub(crate) fn same_etag(&self, path: &str, answer: &Answer) -> Checked {
        let known = self.model.resources.get(path).and_then(|r| r.etag.as_ref());
        rule!(
            known == answer.etag.as_ref(),
            "the ETag of {path} went from {known:?} to {:?} without a change of the wish",
            answer.etag
        );
        Ok(())
    }

    /// PATCHes some cluster to any scale settings.
    pub(crate) fn resize(&mut self) -> Checked {
        let Some(path) = self.some("clusters") else {
            return self.put_cluster();
        };
        let scale = scale(&mut self.rng);
        self.patch(&path, scale)
    }

    /// PATCHes the scale settings of a cluster.
    pub(crate) fn patch(&mut self, path: &str, scale: Value) -> Checked {
        let stands = self.model.stands(path);
        let life = self.model.life(path);
        let (terminates, requeues) = hurts(&scale);
        if let Some(Kind::Cluster(cluster)) = self.model.resources.get_mut(path).map(|r| &mut r.kind) {
            cluster.terminates |= terminates;
            cluster.requeues |= requeues;
        }
        let body = json!({"properties": {"scaleSettings": scale}});
        let answer = self.ask(&Method::PATCH, &resource(path), Some(&body))?;
        rule!(
            match life {
                Life::Standing if stands => answer.status == 200,
                Life::Standing | Life::Deleting => matches!(answer.status, 200 | 404 | 409),
                Life::Gone => answer.status == 404,
            },
            "PATCH {path} ({life:?}) was answered {}: {}",
            answer.status,
            answer.text
        );
        if answer.status == 200
            && let Some(resource) = self.model.resources.get_mut(path)
            && let Kind::Cluster(cluster) = &mut resource.kind
        {
            self.resizes += 1;
            resource.etag = answer.etag;
            resource.body["properties"]["scaleSettings"] = scale.clone();
            cluster.scale = scale;
        }
        Ok(())
    }

    fn terminate(&mut self) -> Checked {
        let Some(path) = self.some("jobs") else {
            return Ok(());
        };
        self.terminate_job(&path)
    }

    /// POSTs the termination of a job.
    pub(crate) fn terminate_job(&mut self, path: &str) -> Checked {
        let life = self.model.life(path);
        if let Some(Kind::Job(job)) = self.model.resources.get_mut(path).map(|r| &mut r.kind) {
            job.stop_asked = true;
        }
        let answer = self.ask(&Method::POST, &format!("{}/terminate", resource(path)), None)?;
        rule!(
            match life {
                Life::Standing => matches!(answer.status, 200 | 202),
                Life::Deleting => matches!(answer.status, 200 | 202 | 404),
                Life::Gone => answer.status == 404,
            },
            "terminating {path} ({life:?}) was answered {}: {}",
            answer.status,
            answer.text
        );
        self.follow(&answer, Goal::Ended(path.to_owned()))
    }

    fn delete(&mut self, kind: &str) -> Checked {
        let Some(path) = self.some(kind) else {
            return Ok(());
        };
        self.delete_path(&path)
    }

    /// DELETEs a resource.
    pub(crate) fn delete_path(&mut self, path: &str) -> Checked {
        let life = self.model.life(path);
        self.model.deletion_asked(path);
        let answer = self.ask_deletion(&resource(path))?;
        rule!(
            match life {
                Life::Standing => matches!(answer.status, 200 | 202) || self.retried && answer.status == 204,
                Life::Deleting => matches!(answer.status, 200 | 202 | 204),
                Life::Gone => answer.status == 204,
            },
            "DELETE {path} ({life:?}) was answered {}: {}",
            answer.status,
            answer.text
        );
        match answer.status {
            202 => self.model.deleting(path),
            _ => self.model.gone(path),
        }
        self.follow(&answer, Goal::Deleted(path.to_owned()))
    }

    fn ask_deletion(&mut self, target: &str) -> Checked<Answer> {
        self.ask(&Method::DELETE, target, None)
    }

    pub(crate) fn follow(&mut self, answer: &Answer, goal: Goal) -> Checked {
        if answer.status != 202 {
            return Ok(());
        }
        let Some((result, status)) = answer.follow.clone() else {
            rule!(false, "a 202 came without its two headers");
            return Ok(());
        };
        let known = self.model.operations.iter().any(|o| o.result == result);
        if !known {
            let since = self.clock.elapsed();
            self.model.operations.push(Operation {
                result,
                status,
                since,
                birth: self.model.birth(goal.path()),
                goal,
                answer: None,
            });
        }
        Ok(())
    }

    fn poll(&mut self) -> Checked {
        let count = self.model.operations.len() as u64;
        match count.checked_sub(1) {
            Some(last) => {
                let index = usize::try_from(self.rng.between(0, last)).unwrap_or(0);
                self.check_operation(index).map(|_| ())
            }
            None => self.get_something(),
        }
    }

    fn get_something(&mut self) -> Checked {
        let paths: Vec<String> = self.model.resources.keys().cloned().collect();
        let Some(path) = self.rng.pick(&paths).cloned() else {
            return self.put_workspace();
        };
        if self.rng.chance(200) && kind_of(&path) == "experiments" {
            return self.check_list(&path);
        }
        self.check_resource(&path)
    }
}
