//! Access tokens: a JSON Web Token (RFC 7519) in form, since clients look into them, signed by HMAC-SHA-256.
//!
//! Nobody but this server can check the signature, and nobody else needs to. What a token says is believed only as
//! far as the store agrees: it names the credential that it was got with, and ends with it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;
use serde::{Deserialize, Serialize};

use super::{SignInKey, TOKENS};

/// The only header there is. It is signed along, so a token that names another way of signing fits nothing.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
/// No token of ours is longer.
const LONGEST: usize = 4096;

/// What a token says, by the names that clients know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// For what it was asked; any resource is this server.
    pub aud: String,
    /// Who made it.
    pub iss: String,
    /// When, in seconds since the Unix epoch.
    pub iat: i64,
    /// From when on it holds.
    pub nbf: i64,
    /// Until when, exclusive.
    pub exp: i64,
    /// Application id of the principal.
    pub appid: String,
    /// Its object id, here the same.
    pub oid: String,
    /// Whom the token is about, here the same.
    pub sub: String,
    /// The tenant.
    pub tid: String,
    /// Version of the form.
    pub ver: String,
    /// The credential that it was got with, and ends with.
    pub cid: String,
}

impl SignInKey {
    /// The token that says this.
    pub fn token(&self, claims: &Claims) -> String {
        // A struct of texts and numbers is always writable.
        let payload = serde_json::to_vec(claims).unwrap_or_default();
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(HEADER),
            URL_SAFE_NO_PAD.encode(payload)
        );
        let signature = self.mac(&[TOKENS, &signed]).finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// What a token says, if it is one of ours and not over at `now` (seconds since the Unix epoch).
    pub fn read_token(&self, token: &str, now: i64) -> Option<Claims> {
        if token.len() > LONGEST {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        // Compares in constant time.
        self.mac(&[TOKENS, signed]).verify_slice(&signature).ok()?;
        let payload = URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
        let claims: Claims = serde_json::from_slice(&payload).ok()?;
        (now < claims.exp).then_some(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        let text = |text: &str| text.to_owned();
        Claims {
            aud: text("https://yard"),
            iss: text("https://yard/t/"),
            iat: 100,
            nbf: 100,
            exp: 200,
            appid: text("a"),
            oid: text("a"),
            sub: text("a"),
            tid: text("t"),
            ver: text("1.0"),
            cid: text("c"),
        }
    }

    #[test]
    fn a_token_says_what_was_written_until_it_is_over() {
        let key = SignInKey::new([1; 32]);
        let token = key.token(&claims());
        assert_eq!(token.split('.').count(), 3);
        assert_eq!(key.read_token(&token, 199), Some(claims()));
        assert_eq!(key.read_token(&token, 200), None);
        assert_eq!(SignInKey::new([2; 32]).read_token(&token, 100), None);
    }

    #[test]
    fn a_token_that_was_changed_anywhere_is_none_of_ours() {
        let key = SignInKey::new([1; 32]);
        let token = key.token(&claims());
        for at in 0..token.len() {
            let mut bent = token.clone().into_bytes();
            bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
            let bent = String::from_utf8(bent).unwrap();
            assert_eq!(key.read_token(&bent, 100), None, "{at}");
        }
        let parts: Vec<&str> = token.split('.').collect();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        for bad in [
            String::new(),
            "..".to_owned(),
            format!("{}.{}", parts[0], parts[1]),
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{token}."),
            "x".repeat(100_000),
        ] {
            assert_eq!(key.read_token(&bad, 100), None, "{bad:.60}");
        }
    }
}
