//! Beginnings of programs that use the SDKs: they work as they stand.

use serde_json::json;

use super::{Facts, Who};
use crate::out;

/// Where the secret of a principal is, as the newer SDKs have it too.
const SECRET: &str = "AZURE_CLIENT_SECRET";

/// Text as a literal of both languages.
fn literal(text: impl AsRef<std::ffi::OsStr>) -> String {
    json!(text.as_ref().to_string_lossy()).to_string()
}

/// Prints a beginning for `azure-mgmt-batchai` 2.0.0.
pub fn python(facts: &Facts) -> anyhow::Result<()> {
    say!("for Python 3 with: pip install azure-mgmt-batchai==2.0.0");
    tell_secret(facts);
    out::print(python_text(facts))
}

/// Prints a beginning for `@azure/arm-batchai` 2.2.1.
pub fn node(facts: &Facts) -> anyhow::Result<()> {
    say!("for Node 18 or later with: npm install @azure/arm-batchai");
    tell_secret(facts);
    out::print(node_text(facts))
}

fn tell_secret(facts: &Facts) {
    if let Who::Principal(id) = &facts.who {
        say!("set {SECRET} to the secret of {id} before you run it");
    }
}

fn python_text(facts: &Facts) -> String {
    let (url, subscription) = (literal(&facts.url), literal(&facts.subscription));
    let mut text = "import os\n\nfrom azure.mgmt.batchai import BatchAIManagementClient\n".to_owned();
    text += match facts.who {
        Who::Principal(_) => {
            "from msrestazure.azure_active_directory import ServicePrincipalCredentials\n\
             from msrestazure.azure_cloud import get_cloud_from_metadata_endpoint\n\n"
        }
        Who::Token(_) | Who::TokenFile(_) => "from msrest.authentication import BasicTokenAuthentication\n\n",
    };
    if let Some(authority) = &facts.authority {
        text += &format!(
            "os.environ.setdefault(\"REQUESTS_CA_BUNDLE\", {})\n",
            literal(authority)
        );
    }
    text += &match &facts.who {
        Who::Token(token) => bearer(&literal(token)),
        Who::TokenFile(file) => bearer(&format!("open({}).read().strip()", literal(file))),
        Who::Principal(id) => format!(
            "cloud = get_cloud_from_metadata_endpoint({url})\n\
             credentials = ServicePrincipalCredentials(\n    \
                 client_id={}, secret=os.environ[\"{SECRET}\"], tenant={}, cloud_environment=cloud\n)\n",
            literal(id),
            literal(&facts.tenant)
        ),
    };
    text + &format!("client = BatchAIManagementClient(credentials, {subscription}, base_url={url})\n")
}

fn bearer(token: &str) -> String {
    format!("credentials = BasicTokenAuthentication({{\"access_token\": {token}}})\n")
}

fn node_text(facts: &Facts) -> String {
    let (url, subscription) = (literal(&facts.url), literal(&facts.subscription));
    let mut text = String::new();
    if let Some(authority) = &facts.authority {
        text += "// Node reads the authority's certificate when it starts; run this by\n";
        text += &format!("// NODE_EXTRA_CA_CERTS={} node FILE\n", literal(authority));
    }
    text += "const { BatchAIManagementClient } = require(\"@azure/arm-batchai\");\n\n";
    text += &match &facts.who {
        Who::Token(token) => known(&literal(token)),
        Who::TokenFile(file) => known(&format!(
            "require(\"fs\").readFileSync({}, \"utf8\").trim()",
            literal(file)
        )),
        Who::Principal(id) => sign_in(&url, id),
    };
    text + &format!(
        "const client = new BatchAIManagementClient(credentials, {subscription}, {{\n  \
           baseUri: {url},\n  longRunningOperationRetryTimeout: 1,\n}});\n"
    )
}

fn known(token: &str) -> String {
    format!(
        "const token = {token};\n\
         const credentials = {{ getToken: async () => ({{ token, expiresOnTimestamp: Date.now() + 3600e3 }}) }};\n"
    )
}

fn sign_in(url: &str, id: &str) -> String {
    format!(
        "const url = {url};\n\
         const credentials = {{\n  \
           getToken: async () => {{\n    \
             const form = {{ grant_type: \"client_credentials\", client_id: {}, resource: url }};\n    \
             const body = new URLSearchParams({{ ...form, client_secret: process.env.{SECRET} }});\n    \
             const answer = await fetch(`${{url}}/adfs/oauth2/token`, {{ method: \"POST\", body }});\n    \
             if (!answer.ok) throw new Error(await answer.text());\n    \
             const {{ access_token: token, expires_on }} = await answer.json();\n    \
             return {{ token, expiresOnTimestamp: expires_on * 1000 }};\n  \
           }},\n}};\n",
        literal(id)
    )
}
