//! Small files in the data folder for the commands of this machine.

use std::path::Path;

use anyhow::Context;
use serde_json::json;

use crate::connect::TOKEN_FILE;

/// Where the running server notes itself.
pub const NOTE: &str = "server.json";

/// The admin token, made at the first start and readable by its owner only.
pub fn admin_token(data: &Path, random: &dyn trainyard_server::Random) -> anyhow::Result<String> {
    let path = data.join(TOKEN_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let token = format!("trainyard-{secret}");
    crate::folder::write_private(&path, format!("{token}\n").as_bytes())?;
    Ok(token)
}

/// Notes where the server listens, and the certificate of the authority that clients must trust for it.
pub fn note(data: &Path, url: &str, authority: Option<&Path>) -> anyhow::Result<()> {
    let mut text = json!({ "pid": std::process::id(), "url": url });
    if let Some(authority) = authority {
        text["authority"] = json!(authority);
    }
    crate::folder::write_private(&data.join(NOTE), text.to_string().as_bytes())
}

/// Takes the note away.
pub fn remove_note(data: &Path) {
    let _ = std::fs::remove_file(data.join(NOTE));
}
