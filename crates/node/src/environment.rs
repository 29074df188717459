//! The environment that processes get.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::getuid;

use crate::isolation::Account;

/// What a process gets where neither its plan nor the node's settings name it: PATH, HOME, USER, LANG, TZ.
pub fn defaults() -> BTreeMap<String, String> {
    let (user, home) = account();
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    [
        ("PATH", path),
        ("HOME", home.as_str()),
        ("USER", user.as_str()),
        ("LANG", "C.UTF-8"),
        ("TZ", "UTC"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// What an account's processes get of it.
pub fn of(account: &Account) -> [(String, String); 2] {
    [("HOME", &account.home), ("USER", &account.name)].map(|(name, value)| (name.to_owned(), value.clone()))
}

/// Name and home of the user that runs this process.
fn account() -> (String, String) {
    let uid = getuid().as_raw().to_string();
    fs::read_to_string("/etc/passwd")
        .unwrap_or_default()
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.get(2) == Some(&uid.as_str()))
        .and_then(|fields| Some(((*fields.first()?).to_owned(), (*fields.get(5)?).to_owned())))
        .unwrap_or_else(|| (uid, "/".to_owned()))
}
