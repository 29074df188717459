//! The operation table: router, `api-version` errors, access checks, audit names, metric labels, the
//! answer of Operations_List and the OpenAPI document all come from it.

use axum::http::Method;
use trainyard_wire::ApiVersion;

/// One operation of the service.
pub struct Operation {
    /// Which one.
    pub op: Op,
    /// Its name as in the specification, for logs and metrics.
    pub name: &'static str,
    /// HTTP method.
    pub method: Method,
    /// Path; `{…}` takes one segment, everything else is compared without case.
    pub path: &'static str,
    /// Which api-versions it has.
    pub versions: Versions,
    /// What it is called in roles and in the audit trail.
    pub action: &'static str,
    /// Who may.
    pub access: Access,
}

/// Which api-versions an operation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// Those of Microsoft.BatchAI with workspaces: since 2018-05-01.
    BatchAi,
    /// Those without: 2017-09-01-preview and 2018-03-01.
    Flat,
    /// All of Microsoft.BatchAI but the first.
    Since2018_03,
    /// All of Microsoft.BatchAI.
    All,
    /// Those of the resource manager around it: any date is taken, clients send many.
    ResourceManager,
    /// None: our own.
    Own,
}

impl Versions {
    /// Whether it is an operation of Microsoft.BatchAI that has this version.
    pub fn has(self, version: ApiVersion) -> bool {
        match self {
            Versions::BatchAi => !version.is_flat(),
            Versions::Flat => version.is_flat(),
            Versions::Since2018_03 => version != ApiVersion::V2017_09_01Preview,
            Versions::All => true,
            Versions::ResourceManager | Versions::Own => false,
        }
    }

    /// Whether it is an operation of Microsoft.BatchAI at all.
    pub fn are_of_batch_ai(self) -> bool {
        !matches!(self, Versions::ResourceManager | Versions::Own)
    }
}

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Who has any token.
    Known,
    /// Who may read where the path points.
    Read,
    /// Who may change what the path points to.
    Write,
    /// Who may give rights.
    Own,
}

macro_rules! operations {
    (
        $($op:ident $name:literal $method:ident $path:literal $versions:ident $access:ident $action:literal;)*
        [$($old_op:ident $old_name:literal $old_method:ident $old_path:literal $old_versions:ident $old_access:ident $old_action:literal;)*]
    ) => {
        /// Every operation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the table says it all")]
        pub enum Op { $($op),* }

        /// The table.
        pub static OPERATIONS: &[Operation] = &[$(Operation {
            op: Op::$op,
            name: $name,
            method: Method::$method,
            path: $path,
            versions: Versions::$versions,
            action: $action,
            access: Access::$access,
        },)* $(Operation {
            op: Op::$old_op,
            name: $old_name,
            method: Method::$old_method,
            path: $old_path,
            versions: Versions::$old_versions,
            action: $old_action,
            access: Access::$old_access,
        }),*];
    };
}

operations! {
    Health "Health" GET "/healthz" Own Open "Trainyard/health/read";
    Metrics "Metrics" GET "/metrics" Own Read "Trainyard/metrics/read";
    TokensList "Tokens_List" GET "/trainyard/tokens" Own Known "Trainyard/tokens/read";
    TokensCreate "Tokens_Create" POST "/trainyard/tokens" Own Known "Trainyard/tokens/write";
    TokensRevoke "Tokens_Revoke" DELETE "/trainyard/tokens/{tokenId}" Own Known "Trainyard/tokens/delete";
    PrincipalsList "Principals_List" GET "/trainyard/principals" Own Known "Trainyard/principals/read";
    PrincipalsCreate "Principals_Create" POST "/trainyard/principals" Own Known "Trainyard/principals/write";
    PrincipalsRevoke "Principals_Revoke" DELETE "/trainyard/principals/{appId}" Own Known "Trainyard/principals/delete";
    PrincipalsReset "Principals_Reset" POST "/trainyard/principals/{appId}/secrets" Own Known "Trainyard/principals/secrets/write";
    PrincipalsSetIdentity "Principals_SetIdentity" POST "/trainyard/principals/{appId}/identity" Own Known "Trainyard/principals/identity/write";
    PrincipalsRemoveCredential "Principals_RemoveCredential" DELETE "/trainyard/principals/{appId}/credentials/{credentialId}" Own Known "Trainyard/principals/credentials/delete";
    IdentityToken "ManagedIdentity_Token" POST "/trainyard/msi/{identity}" Own Open "Trainyard/identity/action";
    IdentityTokenGet "ManagedIdentity_TokenOfWebApp" GET "/trainyard/msi/{identity}" Own Open "Trainyard/identity/action";
    MetadataEndpoints "Metadata_Endpoints" GET "/metadata/endpoints" Own Open "Trainyard/metadata/read";
    SignInToken "SignIn_Token" POST "/{tenantId}/oauth2/token" Own Open "Trainyard/signIn/action";
    SignInTokenV2 "SignIn_TokenV2" POST "/{tenantId}/oauth2/v2.0/token" Own Open "Trainyard/signIn/action";
    SignInConfiguration "SignIn_Configuration" GET "/{tenantId}/.well-known/openid-configuration" Own Open "Trainyard/signIn/read";
    SignInConfigurationV2 "SignIn_ConfigurationV2" GET "/{tenantId}/v2.0/.well-known/openid-configuration" Own Open "Trainyard/signIn/read";
    NodesPreempt "Nodes_Preempt" POST "/trainyard/nodes/{nodeId}/preempt" Own Known "Trainyard/nodes/preempt/action";
    ImportsRun "Imports_Run" POST "/trainyard/imports" Own Known "Trainyard/imports/write";
    ImportsUndo "Imports_Undo" DELETE "/trainyard/imports/{importId}" Own Known "Trainyard/imports/delete";
    KeyGet "Key_Get" GET "/trainyard/key" Own Own "Trainyard/key/read";
    KeyRotate "Key_Rotate" POST "/trainyard/key/rotate" Own Own "Trainyard/key/rotate/action";
    Stop "Server_Stop" POST "/trainyard/stop" Own Own "Trainyard/stop/action";
    OpenApiGet "OpenApi_Get" GET "/trainyard/openapi/2026-12-01-preview.json" Own Known "Trainyard/openapi/read";

    OperationsList "Operations_List" GET "/providers/Microsoft.BatchAI/operations" All Known "Microsoft.BatchAI/operations/read";
    SubscriptionsList "Subscriptions_List" GET "/subscriptions" ResourceManager Known "Microsoft.Resources/subscriptions/read";
    SubscriptionsGet "Subscriptions_Get" GET "/subscriptions/{subscriptionId}" ResourceManager Known "Microsoft.Resources/subscriptions/read";
    // Where `az batchai cluster create --use-auto-storage` looks for its account. Before any list of
    // accounts by group: the first row that fits is taken.
    AutoStorage "StorageAccounts_ListForAutoStorage" GET "/subscriptions/{subscriptionId}/resourceGroups/batchaiautostorage/providers/Microsoft.Storage/storageAccounts" ResourceManager Known "Microsoft.Storage/storageAccounts/read";
    ProvidersGet "Providers_Get" GET "/subscriptions/{subscriptionId}/providers/Microsoft.BatchAI" ResourceManager Known "Microsoft.Resources/subscriptions/providers/read";
    ProvidersRegister "Providers_Register" POST "/subscriptions/{subscriptionId}/providers/Microsoft.BatchAI/register" ResourceManager Write "Microsoft.BatchAI/register/action";
    ProvidersUnregister "Providers_Unregister" POST "/subscriptions/{subscriptionId}/providers/Microsoft.BatchAI/unregister" ResourceManager Write "Microsoft.BatchAI/unregister/action";

    TenantsList "Tenants_List" GET "/tenants" ResourceManager Known "Microsoft.Resources/tenants/read";
    StorageAccountsList "StorageAccounts_List" GET "/subscriptions/{subscriptionId}/providers/Microsoft.Storage/storageAccounts" ResourceManager Read "Microsoft.Storage/storageAccounts/read";
    StorageAccountsListByGroup "StorageAccounts_ListByResourceGroup" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.Storage/storageAccounts" ResourceManager Read "Microsoft.Storage/storageAccounts/read";
    StorageAccountsGet "StorageAccounts_GetProperties" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.Storage/storageAccounts/{accountName}" ResourceManager Read "Microsoft.Storage/storageAccounts/read";
    StorageAccountsKeys "StorageAccounts_ListKeys" POST "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.Storage/storageAccounts/{accountName}/listKeys" ResourceManager Write "Microsoft.Storage/storageAccounts/listKeys/action";

    GroupsList "ResourceGroups_List" GET "/subscriptions/{subscriptionId}/resourceGroups" ResourceManager Read "Microsoft.Resources/subscriptions/resourceGroups/read";
    GroupsCreate "ResourceGroups_CreateOrUpdate" PUT "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}" ResourceManager Write "Microsoft.Resources/subscriptions/resourceGroups/write";
    GroupsGet "ResourceGroups_Get" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}" ResourceManager Read "Microsoft.Resources/subscriptions/resourceGroups/read";
    GroupsExists "ResourceGroups_CheckExistence" HEAD "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}" ResourceManager Read "Microsoft.Resources/subscriptions/resourceGroups/read";
    GroupsDelete "ResourceGroups_Delete" DELETE "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}" ResourceManager Write "Microsoft.Resources/subscriptions/resourceGroups/delete";

    UsagesList "Usages_List" GET "/subscriptions/{subscriptionId}/providers/Microsoft.BatchAI/locations/{location}/usages" Since2018_03 Read "Microsoft.BatchAI/locations/usages/read";
    OperationResult "OperationResults_Get" GET "/subscriptions/{subscriptionId}/providers/Microsoft.BatchAI/locations/{location}/operationresults/{operationId}" All Known "Microsoft.BatchAI/locations/operationresults/read";
    OperationStatus "OperationStatuses_Get" GET "/subscriptions/{subscriptionId}/providers/Microsoft.BatchAI/locations/{location}/operationstatuses/{operationId}" All Known "Microsoft.BatchAI/locations/operationstatuses/read";

    WorkspacesList "Workspaces_List" GET "/subscriptions/{subscriptionId}/providers/Microsoft.BatchAI/workspaces" BatchAi Read "Microsoft.BatchAI/workspaces/read";
    WorkspacesListByGroup "Workspaces_ListByResourceGroup" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces" BatchAi Read "Microsoft.BatchAI/workspaces/read";
    WorkspacesCreate "Workspaces_Create" PUT "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}" BatchAi Write "Microsoft.BatchAI/workspaces/write";
    WorkspacesUpdate "Workspaces_Update" PATCH "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}" BatchAi Write "Microsoft.BatchAI/workspaces/write";
    WorkspacesDelete "Workspaces_Delete" DELETE "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}" BatchAi Write "Microsoft.BatchAI/workspaces/delete";
    WorkspacesGet "Workspaces_Get" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}" BatchAi Read "Microsoft.BatchAI/workspaces/read";

    ExperimentsList "Experiments_ListByWorkspace" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/experiments" BatchAi Read "Microsoft.BatchAI/workspaces/experiments/read";
    ExperimentsCreate "Experiments_Create" PUT "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/experiments/{experimentName}" BatchAi Write "Microsoft.BatchAI/workspaces/experiments/write";
    ExperimentsDelete "Experiments_Delete" DELETE "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/experiments/{experimentName}" BatchAi Write "Microsoft.BatchAI/workspaces/experiments/delete";
    ExperimentsGet "Experiments_Get" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/experiments/{experimentName}" BatchAi Read "Microsoft.BatchAI/workspaces/experiments/read";

    JobsList "Jobs_ListByExperiment" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/experiments/{experimentName}/jobs" BatchAi Read "Microsoft.BatchAI/workspaces/experiments/jobs/read";
    JobsCreate "Jobs_Create" PUT "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/experiments/{experimentName}/jobs/{jobName}" BatchAi Write "Microsoft.BatchAI/workspaces/experiments/jobs/write";
    JobsDelete "Jobs_Delete" DELETE "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/experiments/{experimentName}/jobs/{jobName}" BatchAi Write "Microsoft.BatchAI/workspaces/experiments/jobs/delete";
    JobsGet "Jobs_Get" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/experiments/{experimentName}/jobs/{jobName}" BatchAi Read "Microsoft.BatchAI/workspaces/experiments/jobs/read";
    JobsListOutputFiles "Jobs_ListOutputFiles" POST "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/experiments/{experimentName}/jobs/{jobName}/listOutputFiles" BatchAi Read "Microsoft.BatchAI/workspaces/experiments/jobs/listoutputfiles/action";
    JobsListRemoteLogin "Jobs_ListRemoteLoginInformation" POST "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/experiments/{experimentName}/jobs/{jobName}/listRemoteLoginInformation" BatchAi Write "Microsoft.BatchAI/workspaces/experiments/jobs/remoteLoginInformation/action";
    JobsTerminate "Jobs_Terminate" POST "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/experiments/{experimentName}/jobs/{jobName}/terminate" BatchAi Write "Microsoft.BatchAI/workspaces/experiments/jobs/terminate/action";

    FileServersCreate "FileServers_Create" PUT "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/fileServers/{fileServerName}" BatchAi Write "Microsoft.BatchAI/workspaces/fileservers/write";
    FileServersDelete "FileServers_Delete" DELETE "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/fileServers/{fileServerName}" BatchAi Write "Microsoft.BatchAI/workspaces/fileservers/delete";
    FileServersGet "FileServers_Get" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/fileServers/{fileServerName}" BatchAi Read "Microsoft.BatchAI/workspaces/fileservers/read";
    FileServersList "FileServers_ListByWorkspace" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/fileServers" BatchAi Read "Microsoft.BatchAI/workspaces/fileservers/read";

    ClustersCreate "Clusters_Create" PUT "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/clusters/{clusterName}" BatchAi Write "Microsoft.BatchAI/workspaces/clusters/write";
    ClustersUpdate "Clusters_Update" PATCH "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/clusters/{clusterName}" BatchAi Write "Microsoft.BatchAI/workspaces/clusters/write";
    ClustersDelete "Clusters_Delete" DELETE "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/clusters/{clusterName}" BatchAi Write "Microsoft.BatchAI/workspaces/clusters/delete";
    ClustersGet "Clusters_Get" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/clusters/{clusterName}" BatchAi Read "Microsoft.BatchAI/workspaces/clusters/read";
    ClustersListRemoteLogin "Clusters_ListRemoteLoginInformation" POST "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/clusters/{clusterName}/listRemoteLoginInformation" BatchAi Write "Microsoft.BatchAI/workspaces/clusters/remoteLoginInformation/action";
    ClustersList "Clusters_ListByWorkspace" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/workspaces/{workspaceName}/clusters" BatchAi Read "Microsoft.BatchAI/workspaces/clusters/read";

    [
    // The flat api-versions: the same operations at other places.
    ClustersCreate "Clusters_Create" PUT "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/clusters/{clusterName}" Flat Write "Microsoft.BatchAI/clusters/write";
    ClustersUpdate "Clusters_Update" PATCH "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/clusters/{clusterName}" Flat Write "Microsoft.BatchAI/clusters/write";
    ClustersDelete "Clusters_Delete" DELETE "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/clusters/{clusterName}" Flat Write "Microsoft.BatchAI/clusters/delete";
    ClustersGet "Clusters_Get" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/clusters/{clusterName}" Flat Read "Microsoft.BatchAI/clusters/read";
    ClustersListRemoteLogin "Clusters_ListRemoteLoginInformation" POST "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/clusters/{clusterName}/listRemoteLoginInformation" Flat Write "Microsoft.BatchAI/clusters/remoteLoginInformation/action";
    ClustersList "Clusters_List" GET "/subscriptions/{subscriptionId}/providers/Microsoft.BatchAI/clusters" Flat Read "Microsoft.BatchAI/clusters/read";
    ClustersList "Clusters_ListByResourceGroup" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/clusters" Flat Read "Microsoft.BatchAI/clusters/read";

    JobsCreate "Jobs_Create" PUT "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/jobs/{jobName}" Flat Write "Microsoft.BatchAI/jobs/write";
    JobsDelete "Jobs_Delete" DELETE "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/jobs/{jobName}" Flat Write "Microsoft.BatchAI/jobs/delete";
    JobsGet "Jobs_Get" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/jobs/{jobName}" Flat Read "Microsoft.BatchAI/jobs/read";
    JobsListRemoteLogin "Jobs_ListRemoteLoginInformation" POST "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/jobs/{jobName}/listRemoteLoginInformation" Flat Write "Microsoft.BatchAI/jobs/remoteLoginInformation/action";
    JobsListOutputFiles "Jobs_ListOutputFiles" POST "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/jobs/{jobName}/listOutputFiles" Flat Read "Microsoft.BatchAI/jobs/listoutputfiles/action";
    JobsTerminate "Jobs_Terminate" POST "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/jobs/{jobName}/terminate" Flat Write "Microsoft.BatchAI/jobs/terminate/action";
    JobsList "Jobs_List" GET "/subscriptions/{subscriptionId}/providers/Microsoft.BatchAI/jobs" Flat Read "Microsoft.BatchAI/jobs/read";
    JobsList "Jobs_ListByResourceGroup" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/jobs" Flat Read "Microsoft.BatchAI/jobs/read";

    FileServersCreate "FileServers_Create" PUT "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/fileServers/{fileServerName}" Flat Write "Microsoft.BatchAI/fileservers/write";
    FileServersDelete "FileServers_Delete" DELETE "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/fileServers/{fileServerName}" Flat Write "Microsoft.BatchAI/fileservers/delete";
    FileServersGet "FileServers_Get" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/fileServers/{fileServerName}" Flat Read "Microsoft.BatchAI/fileservers/read";
    FileServersList "FileServers_List" GET "/subscriptions/{subscriptionId}/providers/Microsoft.BatchAI/fileServers" Flat Read "Microsoft.BatchAI/fileservers/read";
    FileServersList "FileServers_ListByResourceGroup" GET "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI/fileServers" Flat Read "Microsoft.BatchAI/fileservers/read";
    ]
}

/// What was found for a path and method.
pub enum Found {
    /// An operation, with the segments taken by `{…}` in order.
    Operation(&'static Operation, Parameters),
    /// The path is known with these methods only.
    OtherMethods(String),
    /// The path is not known.
    Nothing,
}

/// The named segments of a path, percent-decoded.
#[derive(Debug, Clone, Default)]
pub struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    /// The segment with this name; empty where the path has none.
    pub fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(key, _)| *key == name)
            .map_or("", |(_, value)| value)
    }

    /// Whether the path has this segment.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| *key == name)
    }
}

/// Looks a path up; `segments` are percent-decoded.
pub fn find(method: &Method, segments: &[String]) -> Found {
    let mut others = Vec::new();
    for operation in OPERATIONS {
        let Some(parameters) = fit(operation.path, segments) else {
            continue;
        };
        if operation.method == *method {
            return Found::Operation(operation, parameters);
        }
        others.push(operation.method.as_str());
    }
    if others.is_empty() {
        Found::Nothing
    } else {
        Found::OtherMethods(others.join(", "))
    }
}

fn fit(path: &'static str, segments: &[String]) -> Option<Parameters> {
    let mut parameters = Vec::new();
    let mut given = segments.iter();
    for wanted in path[1..].split('/') {
        let segment = given.next()?;
        match wanted.strip_prefix('{').and_then(|w| w.strip_suffix('}')) {
            Some(name) => parameters.push((name, segment.clone())),
            None if wanted.eq_ignore_ascii_case(segment) => {}
            None => return None,
        }
    }
    given.next().is_none().then_some(Parameters(parameters))
}

/// Actions of the flat resources of the older api-versions, which Operations_List names beside those of the
/// table.
const FLAT_ACTIONS: [&str; 2] = [
    "Microsoft.BatchAI/clusters/read",
    "Microsoft.BatchAI/fileservers/read",
];

/// The actions of Microsoft.BatchAI, each once, for Operations_List.
pub fn actions() -> Vec<&'static str> {
    let mut actions: Vec<&'static str> = OPERATIONS
        .iter()
        .filter(|operation| operation.versions != Versions::Flat)
        .map(|operation| operation.action)
        .filter(|action| {
            action.starts_with("Microsoft.BatchAI/") && *action != "Microsoft.BatchAI/operations/read"
        })
        .chain(FLAT_ACTIONS)
        .collect();
    actions.sort_unstable();
    actions.dedup();
    actions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(path: &str) -> Vec<String> {
        path[1..].split('/').map(str::to_owned).collect()
    }

    #[test]
    fn fixed_segments_are_found_without_case() {
        let path =
            "/subscriptions/S/resourcegroups/Rg/providers/microsoft.batchai/workspaces/W/fileServers/F";
        let Found::Operation(operation, parameters) = find(&Method::GET, &segments(path)) else {
            panic!("not found")
        };
        assert_eq!(operation.op, Op::FileServersGet);
        assert_eq!(
            (
                parameters.get("resourceGroupName"),
                parameters.get("fileServerName")
            ),
            ("Rg", "F")
        );
    }

    #[test]
    fn a_known_path_with_another_method_is_told_apart() {
        assert!(matches!(
            find(&Method::POST, &segments("/healthz")),
            Found::OtherMethods(allowed) if allowed == "GET"
        ));
        assert!(matches!(
            find(&Method::GET, &segments("/nothing")),
            Found::Nothing
        ));
    }

    #[test]
    fn operations_list_has_the_26_actions_of_the_service() {
        assert_eq!(actions().len(), 26);
    }
}
