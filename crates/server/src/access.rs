//! Who calls, and whether they may.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use trainyard_store::{Principal, Role, Token};

use crate::App;
use crate::arm_error::ApiError;
use crate::ops::{Access, Operation, Parameters};

/// Who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Name, for events and logs.
    pub name: String,
    role: Role,
    scope: String,
}

/// What is stored of a token. Tokens are 256 random bits, so a plain hash is enough.
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl From<Token> for Caller {
    fn from(token: Token) -> Caller {
        Caller {
            name: token.name,
            role: token.role,
            scope: token.scope,
        }
    }
}

impl From<Principal> for Caller {
    fn from(principal: Principal) -> Caller {
        Caller {
            name: principal.name,
            role: principal.role,
            scope: principal.scope,
        }
    }
}

impl Caller {
    /// A caller that needs no rights.
    fn nobody() -> Caller {
        Caller {
            name: "nobody".to_owned(),
            role: Role::Reader,
            scope: "(none)".to_owned(),
        }
    }

    /// Whether the role reaches `scope` and allows `access` there.
    pub fn may(&self, access: Access, scope: &str) -> bool {
        let enough = match access {
            Access::Open | Access::Known => return true,
            Access::Read => Role::Reader,
            Access::Write => Role::Contributor,
            Access::Own => Role::Owner,
        };
        self.role >= enough && covers(&self.scope, scope)
    }

    /// [`Caller::may`] as a refusal.
    pub fn check(&self, access: Access, scope: &str, action: &'static str) -> Result<(), ApiError> {
        if self.may(access, scope) {
            return Ok(());
        }
        Err(ApiError::Forbidden {
            caller: self.name.clone(),
            action,
            scope: scope.to_owned(),
        })
    }
}

/// Whether a scope holds a place: it is the place, or an ancestor of it. Both are lower-cased.
fn covers(scope: &str, place: &str) -> bool {
    let scope = scope.trim_end_matches('/');
    place
        .strip_prefix(scope)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The place that the path of a request points to, for [`Caller::may`]: subscription, group or workspace.
pub fn place(parameters: &Parameters) -> String {
    let mut place = String::new();
    for (name, before) in [
        ("subscriptionId", "/subscriptions/"),
        ("resourceGroupName", "/resourcegroups/"),
        ("workspaceName", "/providers/microsoft.batchai/workspaces/"),
    ] {
        if parameters.has(name) {
            place.push_str(before);
            // A slash that came in encoded makes no deeper place.
            place.push_str(&parameters.get(name).to_ascii_lowercase().replace('/', "%2f"));
        }
    }
    if place.is_empty() { "/".to_owned() } else { place }
}

/// Finds out who calls, and whether they may call this operation here.
pub fn admit(
    app: &App,
    operation: &Operation,
    parameters: &Parameters,
    headers: &HeaderMap,
) -> Result<Caller, ApiError> {
    if operation.access == Access::Open {
        return Ok(Caller::nobody());
    }
    let caller = identify(app, headers)?;
    caller.check(operation.access, &place(parameters), operation.action)?;
    Ok(caller)
}

fn identify(app: &App, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = given
        .and_then(|text| text.trim().split_once(' '))
        .ok_or(ApiError::Unauthenticated)?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(ApiError::Unauthenticated);
    }
    let token = token.trim();
    let now = app.ports.clock.now();
    // One that somebody signed in for names the credential that it was got with: it ends with that.
    if let Some(claims) = app.ports.sign_in_key.read_token(token, now.as_second()) {
        let found = app.ports.store.read(|s| s.credential(&claims.cid))?;
        let held =
            found.filter(|(credential, principal)| credential.holds(now) && principal.app_id == claims.appid);
        let caller = held.map(|(_, principal)| Caller::from(principal));
        return caller.ok_or(ApiError::Unauthenticated);
    }
    let found = app.ports.store.read(|s| s.token(&hash(token)))?;
    found.map(Caller::from).ok_or(ApiError::Unauthenticated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_itself_and_what_is_below() {
        assert!(covers("/", "/subscriptions/s"));
        assert!(covers("/subscriptions/s", "/subscriptions/s/resourcegroups/g"));
        assert!(!covers("/subscriptions/s", "/subscriptions/s2"));
        assert!(!covers("/subscriptions/s/resourcegroups/g", "/subscriptions/s"));
    }

    #[test]
    fn roles_are_ordered() {
        let contributor = Caller {
            name: "c".to_owned(),
            role: Role::Contributor,
            scope: "/subscriptions/s".to_owned(),
        };
        assert!(contributor.may(Access::Write, "/subscriptions/s"));
        assert!(!contributor.may(Access::Own, "/subscriptions/s"));
        assert!(!contributor.may(Access::Read, "/"));
    }
}
