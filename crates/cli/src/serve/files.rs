//! Small files in the data folder for the commands of this machine.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
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
    write_private(&path, format!("{token}\n").as_bytes())?;
    Ok(token)
}

/// Notes where the server listens.
pub fn note(data: &Path, url: &str) -> anyhow::Result<()> {
    let text = json!({ "pid": std::process::id(), "url": url });
    write_private(&data.join(NOTE), text.to_string().as_bytes())
}

/// Takes the note away.
pub fn remove_note(data: &Path) {
    let _ = std::fs::remove_file(data.join(NOTE));
}

/// Writes a file whole or not at all, readable by its owner only.
fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("{} cannot be written", path.display());
    let draft = path.with_extension("new");
    let _ = std::fs::remove_file(&draft);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .with_context(failed)?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .with_context(failed)?;
    std::fs::rename(&draft, path).with_context(failed)
}
