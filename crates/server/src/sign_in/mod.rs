//! Signing in: the key of the server, the tokens that it signs, and how often somebody may try.

mod attempts;
mod jwt;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

pub use attempts::Attempts;
pub use jwt::Claims;

/// What is derived from the key: each purpose is signed first, so that nothing made for one fits another.
const TOKENS: &str = "trainyard access token 1";
const STORAGE: &str = "trainyard storage account key 1";

/// The secret that access tokens are signed with and keys of storage accounts come from. It never leaves the server.
#[derive(Clone)]
pub struct SignInKey {
    /// 32 bytes, filled up with zeros to SHA-256's block as HMAC itself would.
    block: [u8; 64],
}

impl fmt::Debug for SignInKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignInKey(…)")
    }
}

impl SignInKey {
    /// A key of 32 random bytes.
    pub fn new(secret: [u8; 32]) -> SignInKey {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&secret);
        SignInKey { block }
    }

    fn mac(&self, parts: &[&str]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.block.into());
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }

    /// A key of a storage account, `key1` or `key2`: base64 of 64 bytes as the service's own were, the same each time.
    pub fn of_storage_account(&self, account: &str, key: &str) -> String {
        let half = |half| self.mac(&[STORAGE, account, key, half]).finalize().into_bytes();
        STANDARD.encode([half("1"), half("2")].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_storage_accounts_are_long_stable_and_their_own() {
        let key = SignInKey::new([1; 32]);
        let one = key.of_storage_account("acct", "key1");
        assert_eq!(STANDARD.decode(&one).unwrap().len(), 64);
        assert_eq!(one, SignInKey::new([1; 32]).of_storage_account("acct", "key1"));
        for other in [
            key.of_storage_account("acct", "key2"),
            key.of_storage_account("acctk", "ey1"),
            SignInKey::new([2; 32]).of_storage_account("acct", "key1"),
        ] {
            assert_ne!(one, other);
        }
        assert!(!format!("{key:?}").contains('1'));
    }
}
