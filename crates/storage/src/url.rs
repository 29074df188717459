//! Addresses of Azure file shares.

use crate::names::shortened;
use crate::{AccountName, BadName, ShareName};

/// An `azureFileUrl` that names no account and share.
#[derive(Debug, thiserror::Error)]
pub enum BadUrl {
    /// The text has another form.
    #[error(
        "{found:?} is not the address of a file share: {why}; use https://{{account}}.file.core.windows.net/{{share}}"
    )]
    Form {
        /// What was given.
        found: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The form is right but a name in it is not.
    #[error("{found:?} is not the address of a file share: a name in it is not valid")]
    Name {
        /// What was given.
        found: String,
        /// Which name, and the rule for it.
        #[source]
        source: BadName,
    },
}

/// Account and share of `https://{account}.file.core.windows.net/{share}` (api.md, AzureFileShareReference).
///
/// The first label of the host is the account, whatever follows it, so that addresses of other clouds work.
/// Scheme and host may be in any case and one trailing slash is harmless.
///
/// # Errors
/// [`BadUrl`] where scheme, account or share are missing or invalid, or anything stands behind the share.
pub fn parse_file_share_url(url: &str) -> Result<(AccountName, ShareName), BadUrl> {
    let form = |why| BadUrl::Form {
        found: shortened(url),
        why,
    };
    let name = |source| BadUrl::Name {
        found: shortened(url),
        source,
    };

    let (scheme, rest) = url
        .split_once("://")
        .ok_or_else(|| form("it does not start with https://"))?;
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return Err(form("it does not start with https://"));
    }
    let (host, path) = rest
        .split_once('/')
        .ok_or_else(|| form("no share follows the host"))?;
    let share = path.strip_suffix('/').unwrap_or(path);
    if share.is_empty() {
        return Err(form("no share follows the host"));
    }
    if share.contains(['/', '?', '#']) {
        return Err(form("only the share may follow the host"));
    }
    let (host, port) = host.split_once(':').unwrap_or((host, "0"));
    if port.parse::<u16>().is_err() {
        return Err(form("its port is not a number up to 65535"));
    }
    let account = host.split('.').next().unwrap_or(host);
    if account.is_empty() {
        return Err(form("its host does not start with an account"));
    }
    Ok((
        AccountName::new(account).map_err(name)?,
        ShareName::new(share).map_err(name)?,
    ))
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn accounts_and_shares_are_found() {
        for (url, account, share) in [
            ("https://acc.file.core.windows.net/share", "acc", "share"),
            ("HTTPS://ACC.File.Core.Windows.Net/share/", "acc", "share"),
            (
                "https://acc.file.core.chinacloudapi.cn/my-share",
                "acc",
                "my-share",
            ),
            ("http://acc:8080/s", "acc", "s"),
            (
                "https://storage_account_name.file.core.windows.net/azurefiles",
                "storage_account_name",
                "azurefiles",
            ),
        ] {
            let (a, s) = parse_file_share_url(url).unwrap();
            assert_eq!((a.as_str(), s.as_str()), (account, share), "{url}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for url in [
            "",
            "acc",
            "acc.file.core.windows.net/share",
            "https://",
            "https:///share",
            "https://acc.file.core.windows.net",
            "https://acc.file.core.windows.net/",
            "https://acc.file.core.windows.net//",
            "https://acc.file.core.windows.net/share//",
            "https://acc.file.core.windows.net/share/folder",
            "https://acc.file.core.windows.net/share?sv=1",
            "https://acc.file.core.windows.net/..",
            "https://acc.file.core.windows.net/%2e%2e",
            "https://user@acc.file.core.windows.net/share",
            "https://user:x@acc.file.core.windows.net/share",
            "https://.file.core.windows.net/share",
            "ftp://acc.file.core.windows.net/share",
        ] {
            let error = parse_file_share_url(url).unwrap_err();
            assert!(error.to_string().contains("file share"), "{error}");
            assert_eq!(matches!(error, BadUrl::Name { .. }), error.source().is_some());
        }
    }
}
