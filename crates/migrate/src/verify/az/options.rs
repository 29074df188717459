//! Values of options, with stand-ins where the text does not tell them.

use std::collections::BTreeMap;

use super::super::standin;
use super::super::{GROUP, REGION};
use crate::az::grammar::Role;
use crate::az::parse::Parsed;

/// The options of one call.
pub struct Options<'a> {
    /// As they were read.
    pub parsed: &'a Parsed<'a>,
}

impl Options<'_> {
    /// Whether it is given.
    pub fn has(&self, role: Role) -> bool {
        self.parsed.has(role)
    }

    /// Its value as it stands, without quotes.
    pub fn plain(&self, role: Role) -> Option<String> {
        self.parsed.plain(role)
    }

    /// Its value.
    pub fn text(&self, role: Role) -> Option<String> {
        self.plain(role).map(|text| standin::resolve(&text))
    }

    /// Its value as a name of a resource.
    pub fn name(&self, role: Role) -> Option<String> {
        self.plain(role).map(|text| standin::name(&text))
    }

    /// The group, a stand-in where there is none.
    pub fn group(&self) -> String {
        self.name(Role::Group)
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| GROUP.to_owned())
    }

    /// A number; where it is not known, `otherwise`, or 2 if the text is that of `same` too.
    pub fn number(&self, role: Role, same: &[Role], otherwise: i64) -> Option<i64> {
        let text = self.plain(role)?;
        if let Ok(number) = text.trim().parse() {
            return Some(number);
        }
        let twin = same
            .iter()
            .any(|other| *other != role && self.plain(*other).as_deref() == Some(&text));
        Some(if twin { 2 } else { otherwise })
    }

    /// What no server sees of a call: how it prints, how it waits and asks.
    pub fn of_the_client(&self) -> BTreeMap<&'static str, String> {
        let mut all = BTreeMap::new();
        for (role, name) in [
            (Role::Output, "--output"),
            (Role::Query, "--query"),
            (Role::Subscription, "--subscription"),
            (Role::File, "--file-name"),
            (Role::Interval, "--interval"),
        ] {
            if let Some(text) = self.text(role) {
                all.insert(name, text);
            }
        }
        // Never the value: these are secrets, or paths of them.
        for (role, name) in [
            (Role::Password, "--password"),
            (Role::AccountKey, "--storage-account-key"),
            (Role::GenerateKeys, "--generate-ssh-keys"),
            (Role::AutoStorage, "--use-auto-storage"),
            (Role::Debug, "--debug"),
            (Role::Verbose, "--verbose"),
        ] {
            if self.has(role) {
                all.insert(name, "given".to_owned());
            }
        }
        all
    }
}

/// A region as ids and workspaces have it: `West Europe` is `westeurope`.
pub fn region(text: &str) -> String {
    let name: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let name = standin::name(&name).to_lowercase();
    if name.is_empty() { REGION.to_owned() } else { name }
}
