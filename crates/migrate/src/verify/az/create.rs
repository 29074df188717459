//! What the three `create` commands share.

use serde_json::{Map, Value, json};

use super::super::Replay;
use super::super::bodies::KEY;
use super::super::place::{Kind, in_our_subscription, needs_of};
use super::Call;
use crate::az::grammar::{Dialect, Role};

/// A body under construction.
pub struct Draft<'a> {
    /// The call.
    pub(super) call: &'a Call<'a>,
    /// Its body so far.
    pub body: Map<String, Value>,
    /// What the replay has to say.
    pub notes: Vec<String>,
}

impl<'a> Draft<'a> {
    /// From the config file that the call names, or from `without` where it can't be read.
    pub(super) fn new(call: &'a Call<'a>, without: Value) -> Self {
        let mut notes = Vec::new();
        let file = call.options.plain(Role::Config);
        let config = file.as_ref().and_then(|name| {
            let found = call.config();
            if found.is_none() {
                notes.push(format!("{name} is not here: a smallest file stood in for it"));
            }
            found.or(Some(without))
        });
        let body = match config {
            Some(Value::Object(body)) => body,
            _ => Map::new(),
        };
        Self { call, body, notes }
    }

    /// The object at this way beneath `properties`, made where it is missing.
    pub fn at(&mut self, way: &[&str]) -> &mut Map<String, Value> {
        way.iter()
            .fold(object(&mut self.body, "properties"), |inner, name| {
                object(inner, name)
            })
    }

    /// Sets a member, if there is a value.
    pub fn set(&mut self, way: &[&str], name: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.at(way).insert(name.to_owned(), value);
        }
    }

    /// User, key and password: of the call, else of the file, else since 0.2 those of the person who calls.
    pub fn account(&mut self, way: &[&str]) -> Result<(), &'static str> {
        let options = &self.call.options;
        let user = options.text(Role::User);
        // The key is only given or not: no file is read for it.
        let key = options.has(Role::Key).then(|| KEY.to_owned());
        let password = options.text(Role::Password);
        let since_02 = self.call.dialect != Dialect::V01;
        let account = self.at(way);
        let put = |account: &mut Map<String, Value>, name: &str, value: Option<String>| {
            if let Some(value) = value {
                account.insert(name.to_owned(), value.into());
            }
        };
        put(account, "adminUserName", user);
        put(account, "adminUserSshPublicKey", key);
        put(account, "adminUserPassword", password);
        let has = |account: &Map<String, Value>, name: &str| {
            account.keys().any(|key| key.eq_ignore_ascii_case(name))
        };
        if !has(account, "adminUserName") {
            if !since_02 {
                return Err("it needs a user name");
            }
            account.insert("adminUserName".to_owned(), "defaultuser".into());
        }
        if !has(account, "adminUserSshPublicKey") && !has(account, "adminUserPassword") {
            if !since_02 {
                return Err("it needs a key or a password");
            }
            account.insert(
                "adminUserSshPublicKey".to_owned(),
                format!("{KEY}-default").into(),
            );
        }
        Ok(())
    }

    /// The subnet of the call.
    pub fn subnet(&mut self) {
        let id = self.call.options.text(Role::Subnet).map(|id| {
            if id.starts_with('/') {
                in_our_subscription(&id)
            } else {
                format!(
                    "{}/providers/Microsoft.Network/virtualNetworks/anynet/subnets/{}",
                    super::super::place::group(&self.call.options.group()),
                    super::super::standin::name(&id)
                )
            }
        });
        self.set(&[], "subnet", id.map(|id| json!({ "id": id })));
    }

    /// The finished replay of the PUT.
    pub fn finish(mut self, kind: Kind, role: Role) -> Replay {
        if self.call.dialect != Dialect::V03 {
            let region = self
                .call
                .region()
                .unwrap_or_else(|| super::super::REGION.to_owned());
            self.body.insert("location".to_owned(), region.into());
        }
        let body = Value::Object(self.body);
        Replay {
            needs: needs_of(&body),
            steps: vec![self.call.request("PUT", self.call.path(kind, role)).with(body)],
            notes: self.notes,
            ..Replay::default()
        }
    }
}

/// The object of this name, made where it is missing.
fn object<'m>(members: &'m mut Map<String, Value>, name: &str) -> &'m mut Map<String, Value> {
    let value = members.entry(name).or_insert(Value::Null);
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(inner) => inner,
        _ => unreachable!("it was made an object just now"),
    }
}

/// A call that its client refuses.
pub fn refused(why: &str) -> Replay {
    Replay {
        refused: Some(why.to_owned()),
        ..Replay::default()
    }
}
