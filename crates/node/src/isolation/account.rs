//! Finding an account of the machine, wherever the machine keeps its accounts.

use std::ffi::CString;
use std::io;
use std::path::Path;

use nix::unistd::{User, getgrouplist};
use rustix::fs::{AtFlags, CWD, chownat};
use rustix::process::{Gid, Uid};

use super::Account;

/// Why jobs cannot run as an account.
#[derive(Debug, thiserror::Error)]
pub enum NoAccount {
    /// There is none of that name.
    #[error("there is no account {0} on this machine; make it, or name another one")]
    Unknown(String),
    /// The machine does not answer.
    #[error("the account {name} cannot be looked up")]
    Lookup {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Account {
    /// The account of that name, with all its groups.
    pub fn named(name: &str) -> Result<Account, NoAccount> {
        let lookup = |source: nix::Error| NoAccount::Lookup {
            name: name.to_owned(),
            source: source.into(),
        };
        let unknown = || NoAccount::Unknown(name.to_owned());
        let user = User::from_name(name).map_err(lookup)?.ok_or_else(unknown)?;
        let words = CString::new(name).map_err(|_| unknown())?;
        let groups = getgrouplist(&words, user.gid).map_err(lookup)?;
        Ok(Account {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: groups.into_iter().map(nix::unistd::Gid::as_raw).collect(),
            home: user.dir.to_string_lossy().into_owned(),
        })
    }

    /// Makes a file or directory this account's own; a link is not followed.
    pub(crate) fn give(&self, path: &Path) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        Ok(chownat(
            CWD,
            path,
            Some(uid),
            Some(gid),
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_and_nobody_else_is_made_up() {
        let root = Account::named("root").unwrap();
        assert_eq!((root.uid, root.home.as_str()), (0, "/root"));
        assert!(matches!(Account::named("no such"), Err(NoAccount::Unknown(_))));
        assert!(matches!(Account::named("a\0b"), Err(NoAccount::Unknown(_))));
    }
}
