//! Python and Node: a program that works as it stands. The token is read from its file, so that the program can be
//! shown and kept anywhere.

use std::path::Path;

use super::target::Target;
use crate::out;

/// A text as Python and JavaScript both read it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// Prints the program for azure-mgmt-batchai 0.2.0, 1.0.1 and 2.0.0.
pub fn python(target: &Target) -> anyhow::Result<()> {
    let trust = target.authority.as_deref().map_or_else(String::new, |authority| {
        format!("client.config.connection.verify = {}\n", path(authority))
    });
    out::print(format!(
        "# pip install azure-mgmt-batchai==2.0.0\n\
         from azure.mgmt.batchai import BatchAIManagementClient\n\
         from msrest.authentication import BasicTokenAuthentication\n\
         \n\
         token = open({}).read().strip()\n\
         client = BatchAIManagementClient(\n    \
             BasicTokenAuthentication({{\"access_token\": token}}),\n    {},\n    base_url={},\n)\n\
         {trust}\
         for workspace in client.workspaces.list():\n    print(workspace.id)\n",
        path(&target.place.token_file()),
        quoted(&target.subscription),
        quoted(&target.url),
    ))?;
    say!(
        "the program speaks to {}; client is what the old scripts call batchai_client",
        target.url
    );
    Ok(())
}

/// Prints the program for @azure/arm-batchai.
pub fn node(target: &Target) -> anyhow::Result<()> {
    if let Some(authority) = &target.authority {
        say!("run it with NODE_EXTRA_CA_CERTS={}", authority.display());
    }
    out::print(format!(
        "// npm install @azure/arm-batchai@2.2.1\n\
         const {{ readFileSync }} = require(\"fs\");\n\
         const {{ BatchAIManagementClient }} = require(\"@azure/arm-batchai\");\n\
         \n\
         const token = readFileSync({}, \"utf8\").trim();\n\
         const credential = {{\n  \
             getToken: async () => ({{ token, expiresOnTimestamp: Date.now() + 3600e3 }}),\n}};\n\
         const client = new BatchAIManagementClient(credential, {}, {{\n  \
             baseUri: {},\n  longRunningOperationRetryTimeout: 1,\n}});\n\
         client.workspaces.list().then((workspaces) => {{\n  \
             for (const workspace of workspaces) console.log(workspace.id);\n}});\n",
        path(&target.place.token_file()),
        quoted(&target.subscription),
        quoted(&target.url),
    ))?;
    say!("the program speaks to {}", target.url);
    Ok(())
}
