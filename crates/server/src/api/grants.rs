//! Rights that an owner gives away: to a token, or to a service principal.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use trainyard_domain::name::excerpt;
use trainyard_domain::resource_id::ResourceId;
use trainyard_store::Role;

use crate::App;
use crate::arm_error::ApiError;
use crate::http::Call;
use crate::ops::Access;

/// Marks a secret as one of ours, for people and for secret scanners.
const PREFIX: &str = "trainyard-";

/// A new secret: 256 random bits in text.
pub fn secret(app: &App) -> String {
    let mut secret = [0; 32];
    app.ports.random.fill(&mut secret);
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret))
}

/// A role at a scope, for something with a name.
pub struct Grant {
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Where, lower-cased.
    pub scope: String,
}

#[derive(Deserialize)]
struct Wish {
    name: String,
    role: String,
    #[serde(default = "everywhere")]
    scope: String,
}

fn everywhere() -> String {
    "/".to_owned()
}

/// Reads a body of our own operations; `members` says what belongs in it.
pub fn body<T: DeserializeOwned>(call: &Call, members: &str) -> Result<T, ApiError> {
    serde_json::from_slice(&call.body)
        .map_err(|error| ApiError::invalid("", format!("The body cannot be read: {error}. Send {members}.")))
}

impl Grant {
    /// Reads the body of a call; the caller must own the scope.
    pub fn read(app: &App, call: &Call) -> Result<Grant, ApiError> {
        let wish: Wish = body(call, "name, role and scope")?;
        let plain = |c: char| c.is_ascii_graphic() || c == ' ';
        if wish.name.trim().is_empty() || wish.name.len() > 100 || !wish.name.chars().all(plain) {
            return Err(ApiError::invalid(
                "name",
                "Use 1 to 100 printable ASCII characters for the name.",
            ));
        }
        let role = Role::parse(&wish.role).ok_or_else(|| {
            let asked = excerpt(&wish.role);
            ApiError::invalid(
                "role",
                format!("The role '{asked}' is not known. Use Owner, Contributor or Reader."),
            )
        })?;
        let scope = scope(app, &wish.scope)?;
        call.caller.check(Access::Own, &scope, call.operation.action)?;
        Ok(Grant {
            name: wish.name.trim().to_owned(),
            role,
            scope,
        })
    }
}

/// A scope: everywhere, or the id of a subscription, group or workspace.
fn scope(app: &App, text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    if text == "/" {
        return Ok(text.to_owned());
    }
    let wrong = || {
        ApiError::invalid(
            "scope",
            format!(
                "The scope '{}' is not known. Use / or the id of a subscription, group or workspace.",
                excerpt(text)
            ),
        )
    };
    let key = ResourceId::new(text, "scope")?.key();
    let segments: Vec<&str> = key[1..].split('/').collect();
    let known = |id: &str| app.settings.subscriptions.iter().any(|s| s.key() == id);
    match segments[..] {
        ["subscriptions", id]
        | ["subscriptions", id, "resourcegroups", _]
        | [
            "subscriptions",
            id,
            "resourcegroups",
            _,
            "providers",
            "microsoft.batchai",
            "workspaces",
            _,
        ] if known(id) => Ok(key),
        _ => Err(wrong()),
    }
}
