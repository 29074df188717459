//! The only place that knows which problem gets which status, code and text (errors.md).

use axum::http::StatusCode;
use trainyard_domain::invalid::Invalid;
use trainyard_domain::resource_id::GroupPath;
use trainyard_storage::{FolderError, LinkError, StorageError};
use trainyard_store::StoreError;
use trainyard_store::db::{Error as DbError, WriteError};
use trainyard_wire::{ApiVersion, BadBody, BadCode};

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// A body that is not JSON or has wrong types.
    #[error("the body cannot be read")]
    Content(Invalid),
    /// A member, name or parameter that cannot be accepted.
    #[error("the request is not valid")]
    Invalid(Invalid),
    /// No `api-version`.
    #[error("the request has no api-version")]
    MissingApiVersion,
    /// An `api-version` that is not served.
    #[error("the api-version is not served")]
    ApiVersion {
        /// What was asked.
        asked: String,
    },
    /// No such path.
    #[error("there is no such path")]
    NoRoute {
        /// The path.
        path: String,
    },
    /// No such type beneath Microsoft.BatchAI.
    #[error("there is no such resource type")]
    NoType {
        /// The type.
        kind: String,
    },
    /// The path does not know the method.
    #[error("the path does not know the method")]
    Method {
        /// The method.
        method: String,
        /// The methods that it knows, as in the Allow header.
        allowed: String,
    },
    /// No token, or not one of ours.
    #[error("the caller is not known")]
    Unauthenticated,
    /// The token does not allow it.
    #[error("the caller may not do this")]
    Forbidden {
        /// Who asks.
        caller: String,
        /// What for.
        action: &'static str,
        /// Where.
        scope: String,
    },
    /// A signed link that is over, or not one of ours.
    #[error("the link does not hold")]
    Link(#[source] LinkError),
    /// No such subscription.
    #[error("there is no such subscription")]
    NoSubscription {
        /// Its id.
        id: String,
    },
    /// No such resource group.
    #[error("there is no such resource group")]
    NoGroup {
        /// Its name.
        name: String,
    },
    /// No such resource.
    #[error("there is no such resource")]
    NotFound {
        /// What kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// The member that names it, if it was not the path.
        target: Option<String>,
    },
    /// No such resource in the flat api-versions, which say it as the resource manager does.
    #[error("there is no such resource")]
    NoFlatResource {
        /// What kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// The group, as asked.
        group: String,
    },
    /// A flat name is taken in another region of the group.
    #[error("the name is taken in another region")]
    InOtherRegion {
        /// What kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// Where it is.
        region: String,
        /// Where it was to be.
        wanted: String,
        /// The group.
        group: String,
    },
    /// A workspace with the name of a migrated one lies in another region.
    #[error("the workspace lies in another region")]
    WorkspaceElsewhere {
        /// Its name.
        name: String,
        /// Where it is.
        region: String,
    },
    /// The store of a storage account gives no answer.
    #[error("the store of a storage account gives no answer")]
    StoreUnreachable(#[source] StorageError),
    /// The store of a storage account does not do what it is asked.
    #[error("the store of a storage account refuses")]
    StoreRefused(#[source] StorageError),
    /// No such storage account in the group.
    #[error("there is no such storage account")]
    NoStorageAccount {
        /// Its name.
        name: String,
        /// The group that was asked.
        group: String,
        /// Where an account of that name is.
        elsewhere: Option<String>,
    },
    /// It exists with another wish.
    #[error("the resource exists with other settings")]
    AlreadyExists {
        /// What kind.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// It, or what it is to stand in, is being deleted.
    #[error("the resource is being deleted")]
    BeingDeleted {
        /// What kind.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// A file server is mounted.
    #[error("the file server is mounted")]
    FileServerInUse {
        /// Its name.
        name: String,
        /// Who mounts it, one of them.
        by: String,
        /// How many more do.
        more: usize,
    },
    /// A file server that is to be mounted has failed.
    #[error("the file server has failed")]
    FileServerFailed {
        /// Its name.
        name: String,
        /// The member that names it.
        target: String,
    },
    /// The folder of a file server cannot be made.
    #[error("the folder of a file server cannot be made")]
    FileServerFolder(#[source] FolderError),
    /// `--use-auto-storage` of the vendor's command line: it would go on to the vendor's own storage hosts.
    #[error("there is no auto-storage")]
    AutoStorage,
    /// If-Match or If-None-Match does not hold.
    #[error("a precondition of the request does not hold")]
    Precondition,
    /// The quota for clusters is used up.
    #[error("the quota for clusters is used up")]
    ClusterQuota {
        /// How many there may be.
        limit: u32,
        /// How many there are.
        used: u32,
    },
    /// Nodes of a dedicated cluster cannot be pre-empted.
    #[error("the node is dedicated")]
    Dedicated {
        /// The node's id.
        node: String,
        /// Its cluster.
        cluster: String,
    },
    /// The output directory lies on no share.
    #[error("the output directory lies on no share")]
    NotOnMountRoot {
        /// Its id.
        id: String,
    },
    /// The body is too large.
    #[error("the body is too large")]
    TooLarge {
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// The store has no room.
    #[error("the store is full")]
    Full(#[source] StoreError),
    /// The store cannot answer now.
    #[error("the store cannot answer now")]
    Unavailable(#[source] StoreError),
    /// Our fault.
    #[error("the server failed")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A handler panicked.
    #[error("a handler panicked")]
    Panic,
}

/// Kinds of resources, for codes and texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A resource group.
    Group,
    /// A workspace.
    Workspace,
    /// A cluster.
    Cluster,
    /// A file server.
    FileServer,
    /// An experiment.
    Experiment,
    /// A job.
    Job,
    /// A long-running operation.
    Operation,
    /// A node.
    Node,
    /// A token.
    Token,
    /// A service principal.
    Principal,
    /// What a principal signs in with.
    Credential,
    /// A file.
    File,
}

impl Kind {
    fn code(self) -> &'static str {
        match self {
            Kind::Group => "ResourceGroup",
            Kind::Workspace => "Workspace",
            Kind::Cluster => "Cluster",
            Kind::FileServer => "FileServer",
            Kind::Experiment => "Experiment",
            Kind::Job => "Job",
            Kind::Operation => "Operation",
            Kind::Node => "Node",
            Kind::Token => "Token",
            Kind::Principal => "Principal",
            Kind::Credential => "Credential",
            Kind::File => "File",
        }
    }

    /// As in ids of the flat api-versions.
    fn flat_type(self) -> &'static str {
        match self {
            Kind::Cluster => "clusters",
            Kind::FileServer => "fileservers",
            Kind::Job => "jobs",
            other => other.words(),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Kind::Group => "resource group",
            Kind::Workspace => "workspace",
            Kind::Cluster => "cluster",
            Kind::FileServer => "file server",
            Kind::Experiment => "experiment",
            Kind::Job => "job",
            Kind::Operation => "operation",
            Kind::Node => "node",
            Kind::Token => "token",
            Kind::Principal => "principal",
            Kind::Credential => "credential",
            Kind::File => "file",
        }
    }
}

/// What is sent.
pub struct Shown {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable identifier.
    pub code: String,
    /// Text for people.
    pub message: String,
    /// Path of the offending member.
    pub target: Option<String>,
}

impl ApiError {
    /// A wrong parameter of the path or query.
    pub fn invalid(target: impl Into<String>, message: impl Into<String>) -> ApiError {
        ApiError::Invalid(Invalid::new(target, message))
    }

    /// The named resource is not there.
    pub fn not_found(kind: Kind, name: impl ToString) -> ApiError {
        ApiError::NotFound {
            kind,
            name: name.to_string(),
            target: None,
        }
    }

    /// The named resource is not in the migrated workspaces of the group.
    pub fn no_flat_resource(kind: Kind, name: impl ToString, group: &GroupPath) -> ApiError {
        ApiError::NoFlatResource {
            kind,
            name: name.to_string(),
            group: group.group.to_string(),
        }
    }

    /// Status, code, text and target of this problem.
    pub fn show(&self) -> Shown {
        let shown = |status, code: &str, message: String| Shown {
            status,
            code: code.to_owned(),
            message,
            target: None,
        };
        let bad = StatusCode::BAD_REQUEST;
        let missing = StatusCode::NOT_FOUND;
        match self {
            ApiError::Content(invalid) => {
                Shown { target: target(invalid), ..shown(bad, "InvalidRequestContent", invalid.message.clone()) }
            }
            ApiError::Invalid(invalid) => {
                Shown { target: target(invalid), ..shown(bad, "BadRequest", invalid.message.clone()) }
            }
            ApiError::MissingApiVersion => shown(
                bad,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.".to_owned(),
            ),
            ApiError::ApiVersion { asked } => shown(
                bad,
                "InvalidApiVersionParameter",
                format!("The api-version '{asked}' is not served here. Use {}.", served()),
            ),
            ApiError::NoRoute { path } => {
                shown(missing, "NotFound", format!("There is nothing at '{path}'. Check the address."))
            }
            ApiError::NoType { kind } => shown(
                missing,
                "InvalidResourceType",
                format!("The resource type '{kind}' is not found in 'Microsoft.BatchAI' for this api-version."),
            ),
            ApiError::Method { method, allowed } => shown(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                format!("The method {method} is not known at this address. Use {allowed}."),
            ),
            ApiError::Unauthenticated => shown(
                StatusCode::UNAUTHORIZED,
                "AuthenticationFailed",
                "The token is missing or not valid. Send 'Authorization: Bearer TOKEN' with a token of this server."
                    .to_owned(),
            ),
            ApiError::Forbidden { caller, action, scope } => shown(
                StatusCode::FORBIDDEN,
                "AuthorizationFailed",
                format!("'{caller}' may not perform '{action}' over '{scope}'. Ask an owner for a token that may."),
            ),
            ApiError::Link(error) => shown(
                StatusCode::FORBIDDEN,
                "AuthenticationFailed",
                format!(
                    "The link {}. List the output files again for a new one.",
                    match error {
                        LinkError::Expired => "has expired",
                        LinkError::Malformed | LinkError::BadSignature => "is not valid",
                    }
                ),
            ),
            ApiError::NoSubscription { id } => {
                shown(missing, "SubscriptionNotFound", format!("The subscription '{id}' could not be found."))
            }
            ApiError::NoGroup { name } => {
                shown(missing, "ResourceGroupNotFound", format!("Resource group '{name}' could not be found."))
            }
            ApiError::NotFound { kind, name, target } => Shown {
                target: target.clone(),
                ..shown(
                    missing,
                    &format!("{}NotFound", kind.code()),
                    format!("The specified {} {name} is not found", kind.words()),
                )
            },
            ApiError::NoFlatResource { kind, name, group } => shown(
                missing,
                "ResourceNotFound",
                format!(
                    "The Resource 'Microsoft.BatchAI/{}/{name}' under resource group '{group}' was not found.",
                    kind.flat_type()
                ),
            ),
            ApiError::AutoStorage => shown(
                bad,
                "AutoStorageNotAvailable",
                "--use-auto-storage cannot work here: it makes its share and container at the storage hosts of the old \
                 service. Leave it out and name an account instead: --storage-account-name ANY_NAME \
                 --storage-account-key ANY_KEY --afs-name SHARE --afs-mount-path autoafs --bfs-name CONTAINER \
                 --bfs-mount-path autobfs. Share and container are folders of this server; the setting \
                 storage_accounts.ANY_NAME.directory says where, or else they are made in the data folder."
                    .to_owned(),
            ),
            ApiError::InOtherRegion { kind, name, region, wanted, group } => shown(
                StatusCode::CONFLICT,
                "InvalidResourceLocation",
                format!(
                    "The {} {name} exists in the location '{region}' of the resource group '{group}', so there can be \
                     none of that name in '{wanted}'. Use another name.",
                    kind.words()
                ),
            ),
            ApiError::WorkspaceElsewhere { name, region } => shown(
                StatusCode::CONFLICT,
                "InvalidResourceLocation",
                format!(
                    "The workspace {name} exists in the location '{region}', so nothing of an older api-version can be \
                     put into it. Delete that workspace or use another location."
                ),
            ),
            // Not a 5xx: clients try those three times more, each at the cost of a time-out.
            ApiError::StoreUnreachable(error) => {
                shown(StatusCode::FAILED_DEPENDENCY, "StorageAccountUnreachable", error.to_string())
            }
            ApiError::StoreRefused(error) => {
                shown(StatusCode::FAILED_DEPENDENCY, "StorageAccountRefused", error.to_string())
            }
            ApiError::NoStorageAccount { name, group, elsewhere } => shown(
                missing,
                "ResourceNotFound",
                format!(
                    "The Resource 'Microsoft.Storage/storageAccounts/{name}' under resource group '{group}' was not \
                     found.{}",
                    match elsewhere {
                        Some(other) => format!(" It is in '{other}'; storage_accounts.{name}.resource_group sets that."),
                        None => String::new(),
                    }
                ),
            ),
            ApiError::AlreadyExists { kind, name } => shown(
                StatusCode::CONFLICT,
                &format!("{}AlreadyExists", kind.code()),
                format!(
                    "The {} {name} exists with other settings. Delete it first or use another name.",
                    kind.words()
                ),
            ),
            ApiError::BeingDeleted { kind, name } => shown(
                StatusCode::CONFLICT,
                &format!("{}BeingDeleted", kind.code()),
                format!("The {} {name} is being deleted. Wait until it is gone.", kind.words()),
            ),
            ApiError::FileServerInUse { name, by, more } => shown(
                StatusCode::CONFLICT,
                "FileServerInUse",
                format!(
                    "The file server {name} is mounted by {by}{}. Delete the clusters that mount it, and terminate \
                     its jobs or wait for their end; then delete it.",
                    if *more > 0 { format!(" and {more} more") } else { String::new() }
                ),
            ),
            ApiError::FileServerFailed { name, target } => Shown {
                target: Some(target.clone()),
                ..shown(
                    StatusCode::CONFLICT,
                    "FileServerFailed",
                    format!(
                        "The provisioning of the file server {name} has failed, so it cannot be mounted. Delete it \
                         and make it again with other disks or another VM size."
                    ),
                )
            },
            ApiError::FileServerFolder(_) => shown(
                StatusCode::SERVICE_UNAVAILABLE,
                "FileServerFolderFailed",
                "The server could not make a folder for the file server, nothing was changed. Its log says why; see \
                 to file_servers.directory and try again."
                    .to_owned(),
            ),
            ApiError::Precondition => shown(
                StatusCode::PRECONDITION_FAILED,
                "PreconditionFailed",
                "The resource is not in the state that If-Match or If-None-Match asks for. Read it again.".to_owned(),
            ),
            ApiError::ClusterQuota { limit, used } => shown(
                StatusCode::CONFLICT,
                "ClusterQuotaReached",
                format!(
                    "Operation results in exceeding quota limits of Microsoft.BatchAI/clusters. Maximum allowed: \
                     {limit}, Current in use: {used}. Delete a cluster or raise quotas.clusters."
                ),
            ),
            ApiError::Dedicated { node, cluster } => shown(
                StatusCode::CONFLICT,
                "NodeNotPreemptible",
                format!(
                    "The node {node} cannot be pre-empted: its cluster {cluster} is dedicated. Use a cluster whose \
                     vmPriority is lowpriority."
                ),
            ),
            ApiError::NotOnMountRoot { id } => Shown {
                target: Some("outputdirectoryid".to_owned()),
                ..shown(
                    bad,
                    "OutputDirectoryNotOnMountRoot",
                    format!("The specified outputDirectoryId {id} is not present on a mount root"),
                )
            },
            ApiError::TooLarge { limit } => shown(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestTooLarge",
                format!("The body is larger than {limit} bytes. Make it smaller or raise limits.body_bytes."),
            ),
            ApiError::Full(_) => shown(
                StatusCode::SERVICE_UNAVAILABLE,
                "StoreFull",
                "The server's disk is full, nothing was changed. Free some space and try again.".to_owned(),
            ),
            ApiError::Unavailable(_) => shown(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServerBusy",
                "The server cannot take this now, nothing was changed. Try again.".to_owned(),
            ),
            ApiError::Internal(_) | ApiError::Panic => shown(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerError",
                "The server failed. Its log has more under the x-ms-request-id of this answer.".to_owned(),
            ),
        }
    }
}

/// The api-versions that are served, for people.
fn served() -> String {
    ApiVersion::ALL.map(ApiVersion::as_str).join(" or ")
}

fn target(invalid: &Invalid) -> Option<String> {
    (!invalid.target.is_empty()).then(|| invalid.target.clone())
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> ApiError {
        ApiError::Invalid(invalid)
    }
}

impl From<BadBody> for ApiError {
    fn from(bad: BadBody) -> ApiError {
        let invalid = Invalid::new(bad.target, bad.message);
        match bad.code {
            BadCode::InvalidRequestContent => ApiError::Content(invalid),
            BadCode::BadRequest => ApiError::Invalid(invalid),
        }
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> ApiError {
        ApiError::from(StoreError::Database(error))
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        match error {
            StoreError::Database(DbError::Full(_)) => ApiError::Full(error),
            StoreError::Database(
                DbError::Io(_)
                | DbError::Busy(_)
                | DbError::TransactionLost
                | DbError::QueueFull { .. }
                | DbError::ReadersBusy { .. }
                | DbError::Closed,
            ) => ApiError::Unavailable(error),
            other => ApiError::Internal(Box::new(other)),
        }
    }
}

impl From<WriteError<ApiError>> for ApiError {
    fn from(error: WriteError<ApiError>) -> ApiError {
        error.flatten()
    }
}
