//! Whether a key or a password is the account's.

use hmac::{Hmac, KeyInit, Mac};
use russh::keys::PublicKey;
use sha2::Sha256;
use trainyard_domain::spec::UserAccountSettings;

/// Whether the account has this key. It may have several, one a line.
pub fn has_key(account: &UserAccountSettings, user: &str, key: &PublicKey) -> bool {
    let keys = account.admin_user_ssh_public_key.as_deref().unwrap_or_default();
    let known =
        |line: &str| PublicKey::from_openssh(line).is_ok_and(|known| known.key_data() == key.key_data());
    user == account.admin_user_name && keys.lines().any(|line| known(line.trim()))
}

/// Whether this is the account's password. It takes the same time whatever is wrong, and wherever.
pub fn has_password(account: Option<&UserAccountSettings>, user: &str, password: &str) -> bool {
    let right = account.and_then(|account| account.admin_user_password.as_ref());
    let right = right.map_or("", |right| right.reveal());
    let name = account.is_some_and(|account| account.admin_user_name == user);
    let same = is_same(right, password);
    name && !right.is_empty() && same
}

/// Compares two texts by what they hash to, byte for byte to the end.
fn is_same(right: &str, given: &str) -> bool {
    let hash = |text: &str| {
        // Any key will do, of any length.
        Hmac::<Sha256>::new_from_slice(b"password").map(|hash| hash.chain_update(text))
    };
    match (hash(right), hash(given)) {
        (Ok(right), Ok(given)) => given.verify(&right.finalize().into_bytes()).is_ok(),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trainyard_domain::secret::Secret;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn account(password: Option<&str>, key: Option<&str>) -> UserAccountSettings {
        UserAccountSettings {
            admin_user_name: "yard".to_owned(),
            admin_user_ssh_public_key: key.map(str::to_owned),
            admin_user_password: password.map(Secret::new),
        }
    }

    #[test]
    fn only_name_and_password_together_are_right() {
        let right = account(Some("open sesame"), None);
        assert!(has_password(Some(&right), "yard", "open sesame"));
        for (user, password) in [("Yard", "open sesame"), ("yard", "open"), ("yard", ""), ("", "")] {
            assert!(!has_password(Some(&right), user, password), "{user} {password}");
        }
    }

    #[test]
    fn without_a_password_none_is_right_the_empty_one_neither() {
        for account in [None, Some(account(None, None)), Some(account(Some(""), None))] {
            assert!(!has_password(account.as_ref(), "yard", ""));
        }
    }

    #[test]
    fn any_of_its_keys_is_right_under_its_name() {
        let key = PublicKey::from_openssh(KEY).unwrap();
        let two = account(None, Some(&format!("nonsense\n {KEY} me@home \n")));
        assert!(has_key(&two, "yard", &key));
        assert!(!has_key(&two, "other", &key));
        assert!(!has_key(&account(Some("x"), None), "yard", &key));
    }
}
