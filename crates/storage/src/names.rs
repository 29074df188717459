//! Names of storage accounts, file shares and blob containers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A name that cannot be one of a storage account, share or container.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {found:?} is not valid: use {rule}")]
pub struct BadName {
    what: &'static str,
    found: String,
    rule: &'static str,
}

impl BadName {
    pub(crate) fn new(what: &'static str, found: &str, rule: &'static str) -> Self {
        Self {
            what,
            found: shortened(found),
            rule,
        }
    }
}

/// A storage account's name, folded to lower case.
///
/// Azure allows 3 to 24 lower-case letters and digits. This type is wider, 1 to 64 letters, digits, `_` and
/// `-`, since the specification's own examples say `storage_account_name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountName(String);

impl AccountName {
    /// Takes a name in any case.
    ///
    /// # Errors
    /// [`BadName`] for a name that is empty, longer than 64 or holds other characters.
    pub fn new(name: &str) -> Result<Self, BadName> {
        let valid = (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        if !valid {
            return Err(BadName::new(
                "the storage account name",
                name,
                "1 to 64 letters, digits, '_' and '-'",
            ));
        }
        Ok(Self(name.to_ascii_lowercase()))
    }

    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a file share or of a blob container (`$root` and `$web` among them), in the case it was given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ShareName(String);

impl ShareName {
    /// Takes a name that is safe as one directory's name.
    ///
    /// # Errors
    /// [`BadName`] for a name that is empty, longer than 63, `.`, `..` or holds other characters than
    /// letters, digits, `_`, `-`, `$` and `.`.
    pub fn new(name: &str) -> Result<Self, BadName> {
        let valid = (1..=63).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-$.".contains(&b))
            && name != "."
            && name != "..";
        if !valid {
            return Err(BadName::new(
                "the share or container name",
                name,
                "1 to 63 letters, digits, '_', '-', '$' and '.', and not '.' or '..'",
            ));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// At most 100 characters of what was found, so that an error stays a line.
pub(crate) fn shortened(found: &str) -> String {
    match found.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &found[..end]),
        None => found.to_owned(),
    }
}

macro_rules! text_form {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(name: String) -> Result<Self, BadName> {
                Self::new(&name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_form!(AccountName);
text_form!(ShareName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_fold_case_and_stay_one_directory_name() {
        assert_eq!(AccountName::new("MyAcc01").unwrap().as_str(), "myacc01");
        assert_eq!(
            AccountName::new("storage_account_name").unwrap().as_str(),
            "storage_account_name"
        );
        for bad in ["", ".", "..", "a/b", "a.b", "a b", "ä", "a\0", &"a".repeat(65)] {
            assert!(AccountName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn shares_allow_what_azure_does_but_no_way_up() {
        for good in ["$root", "share", "my.share-1_x", "..."] {
            assert_eq!(ShareName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "a/b", "a\\b", "%2e", "a\n", &"a".repeat(64)] {
            assert!(ShareName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn errors_stay_short() {
        let text = AccountName::new(&"ä".repeat(5000)).unwrap_err().to_string();
        assert!(text.chars().count() < 250, "{text}");
        assert!(text.contains("1 to 64 letters"), "{text}");
    }
}
