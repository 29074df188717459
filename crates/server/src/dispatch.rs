//! The one door for every request: from HTTP to the row of the operation table, its handler, and back.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use futures_util::FutureExt;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;
use tracing::{Instrument, error, info, info_span};
use trainyard_wire::ApiVersion;
use trainyard_wire::envelope::{self, ErrorBody};
use uuid::Uuid;

use crate::App;
use crate::access;
use crate::api;
use crate::arm_error::ApiError;
use crate::http::{Call, Peer, Query, Reply, base_url};
use crate::openapi;
use crate::ops::{self, Found, Op, Operation, Parameters, Versions};

/// Path prefix of signed download links; their signature is their right.
const FILES: &str = "/files/";

impl App {
    /// The service as a router: one fallback, since the operation table is the router.
    pub fn router(self: &Arc<App>) -> axum::Router {
        let app = Arc::clone(self);
        axum::Router::new().fallback(move |request: Request| {
            let app = Arc::clone(&app);
            async move { app.answer(request).await }
        })
    }

    /// Answers one request. It never fails and never panics: a problem is an answer too.
    pub async fn answer(self: &Arc<App>, request: Request) -> Response<Body> {
        let id = self.ports.random.uuid();
        let head = request.method() == Method::HEAD;
        let path = request.uri().path().to_owned();
        let method = request.method().clone();
        let span = info_span!("request", id = %id, %method, path = %log_path(&path));
        let mut operation = "(none)";
        let work = AssertUnwindSafe(self.dispatch(request, id, &mut operation)).catch_unwind();
        let result = work
            .instrument(span.clone())
            .await
            .unwrap_or(Err(ApiError::Panic));
        let reply = span.in_scope(|| match result {
            Ok(reply) => reply,
            Err(problem) => refuse(&problem),
        });
        let mut response = reply.into_response(id);
        self.metrics.answered(operation, response.status());
        span.in_scope(|| info!(status = response.status().as_u16(), operation, "answered"));
        if head {
            *response.body_mut() = Body::empty();
        }
        response
    }

    async fn dispatch(
        self: &Arc<App>,
        request: Request,
        id: Uuid,
        operation_name: &mut &'static str,
    ) -> Result<Reply, ApiError> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        if path.starts_with(FILES) {
            *operation_name = "Files_Download";
            return api::files::download(self, &parts);
        }
        let segments = segments(path)?;
        let query = Query::parse(parts.uri.query().unwrap_or(""));
        let (operation, parameters) = route(&parts.method, path, &segments, &query)?;
        *operation_name = operation.name;
        let version = version(operation.versions, &query)?;
        if operation.versions.are_of_batch_ai() && !operation.versions.has(version) {
            return Err(ApiError::NoType {
                kind: resource_type(&segments),
            });
        }
        let caller = access::admit(self, operation, &parameters, &parts.headers)?;
        self.check_subscription(&parameters)?;
        let body = self.body(body).await?;
        let peer = Peer::of(&parts);
        let base = base_url(self.settings.public_url.as_deref(), &parts)?;
        let call = Call {
            id,
            parameters,
            version,
            query,
            headers: parts.headers,
            body,
            caller,
            peer,
            base,
            operation,
        };
        self.run(operation.op, call).await
    }

    fn check_subscription(&self, parameters: &Parameters) -> Result<(), ApiError> {
        let id = parameters.get("subscriptionId");
        let known = self
            .settings
            .subscriptions
            .iter()
            .any(|s| s.as_str().eq_ignore_ascii_case(id));
        if parameters.has("subscriptionId") && !known {
            return Err(ApiError::NoSubscription {
                id: trainyard_domain::name::excerpt(id),
            });
        }
        Ok(())
    }

    async fn body(&self, body: Body) -> Result<Vec<u8>, ApiError> {
        let limit = self.settings.body_bytes;
        match Limited::new(body, limit).collect().await {
            Ok(collected) => Ok(collected.to_bytes().to_vec()),
            Err(error) if error.is::<LengthLimitError>() => Err(ApiError::TooLarge { limit }),
            Err(_) => Err(ApiError::invalid(
                "",
                "The body broke off. Send the request again.",
            )),
        }
    }

    async fn run(self: &Arc<App>, op: Op, call: Call) -> Result<Reply, ApiError> {
        match op {
            Op::Health => Ok(Reply::text("ok\n".to_owned())),
            Op::Metrics => api::server::metrics(self),
            Op::TokensList => api::tokens::list(self, &call),
            Op::TokensCreate => api::tokens::create(self, call).await,
            Op::TokensRevoke => api::tokens::revoke(self, call).await,
            Op::PrincipalsList => api::principals::list(self, &call),
            Op::PrincipalsCreate => api::principals::create(self, call).await,
            Op::PrincipalsRevoke => api::principals::revoke(self, call).await,
            Op::PrincipalsReset => api::principals::reset(self, call).await,
            Op::PrincipalsSetIdentity => api::principals::identity(self, call).await,
            Op::PrincipalsRemoveCredential => api::principals::remove_credential(self, call).await,
            Op::IdentityToken | Op::IdentityTokenGet => api::sign_in::identity(self, &call),
            Op::SignInToken | Op::SignInTokenV2 => api::sign_in::token(self, &call),
            Op::SignInConfiguration => api::sign_in::configuration(self, &call, "oauth2/token"),
            Op::SignInConfigurationV2 => api::sign_in::configuration(self, &call, "oauth2/v2.0/token"),
            Op::MetadataEndpoints => Ok(api::sign_in::endpoints(&call)),
            Op::TenantsList => Ok(api::sign_in::tenants(self)),
            Op::StorageAccountsList => api::storage_accounts::list(self, &call),
            Op::StorageAccountsListByGroup => api::storage_accounts::list_by_group(self, &call),
            Op::StorageAccountsGet => api::storage_accounts::get(self, &call),
            Op::StorageAccountsKeys => api::storage_accounts::keys(self, &call),
            Op::NodesPreempt => api::nodes::preempt(self, call).await,
            Op::ImportsRun => api::imports::run(self, call).await,
            Op::ImportsUndo => api::imports::undo(self, call).await,
            Op::KeyGet => api::keys::show(self),
            Op::KeyRotate => api::keys::rotate(self, call).await,
            Op::Stop => api::server::stop(self, &call),
            Op::OpenApiGet => Ok(Reply::ok(openapi::document())),
            Op::OperationsList => Ok(api::server::operations()),
            Op::SubscriptionsList => Ok(api::subscriptions::list(self)),
            Op::SubscriptionsGet => api::subscriptions::get(&call),
            Op::ProvidersGet => api::subscriptions::provider(&call),
            Op::ProvidersRegister => api::subscriptions::provider(&call),
            Op::ProvidersUnregister => api::subscriptions::provider(&call),
            Op::GroupsList => api::groups::list(self, &call),
            Op::GroupsCreate => api::groups::create(self, call).await,
            Op::GroupsGet => api::groups::get(self, &call),
            Op::GroupsExists => api::groups::exists(self, &call),
            Op::AutoStorage => Err(ApiError::AutoStorage),
            Op::GroupsDelete => api::groups::delete(self, call).await,
            Op::UsagesList => api::usages::list(self, &call),
            Op::OperationResult => api::operations::result(self, &call),
            Op::OperationStatus => api::operations::status(self, &call),
            Op::WorkspacesList => api::workspaces::list(self, &call),
            Op::WorkspacesListByGroup => api::workspaces::list_by_group(self, &call),
            Op::WorkspacesCreate => api::workspaces::create(self, call).await,
            Op::WorkspacesUpdate => api::workspaces::update(self, call).await,
            Op::WorkspacesDelete => api::workspaces::delete(self, call).await,
            Op::WorkspacesGet => api::workspaces::get(self, &call),
            Op::ExperimentsList => api::experiments::list(self, &call),
            Op::ExperimentsCreate => api::experiments::create(self, call).await,
            Op::ExperimentsDelete => api::experiments::delete(self, call).await,
            Op::ExperimentsGet => api::experiments::get(self, &call),
            Op::JobsList => api::jobs::list(self, &call),
            Op::JobsCreate => api::jobs::create(self, call).await,
            Op::JobsDelete => api::jobs::delete(self, call).await,
            Op::JobsGet => api::jobs::get(self, &call),
            Op::JobsListOutputFiles => api::files::list(self, &call).await,
            Op::JobsListRemoteLogin => api::jobs::remote_login(self, &call),
            Op::JobsTerminate => api::jobs::terminate(self, call).await,
            Op::FileServersCreate => api::file_servers::create(self, call).await,
            Op::FileServersDelete => api::file_servers::delete(self, call).await,
            Op::FileServersGet => api::file_servers::get(self, &call),
            Op::FileServersList => api::file_servers::list(self, &call),
            Op::ClustersCreate => api::clusters::create(self, call).await,
            Op::ClustersUpdate => api::clusters::update(self, call).await,
            Op::ClustersDelete => api::clusters::delete(self, call).await,
            Op::ClustersGet => api::clusters::get(self, &call),
            Op::ClustersListRemoteLogin => api::clusters::remote_login(self, &call),
            Op::ClustersList => api::clusters::list(self, &call),
        }
    }
}

/// The path of a signed link, or of a managed identity, is a right: neither stands in the log. A query never does.
fn log_path(path: &str) -> &str {
    let rights = [FILES, api::principals::IDENTITIES];
    let head = |right: &&str| {
        let head = path.get(..right.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(right))
    };
    rights.into_iter().find(head).unwrap_or(path)
}

fn segments(path: &str) -> Result<Vec<String>, ApiError> {
    path.strip_prefix('/')
        .unwrap_or(path)
        .trim_end_matches('/')
        .split('/')
        .map(|segment| {
            let decoded = percent_decode_str(segment).decode_utf8();
            decoded.map(|s| s.into_owned()).map_err(|_| ApiError::NoRoute {
                path: trainyard_domain::name::excerpt(path),
            })
        })
        .collect()
}

fn route(
    method: &Method,
    path: &str,
    segments: &[String],
    query: &Query,
) -> Result<(&'static Operation, Parameters), ApiError> {
    match ops::find(method, segments) {
        Found::Operation(operation, parameters) => Ok((operation, parameters)),
        Found::OtherMethods(allowed) => Err(ApiError::Method {
            method: method.to_string(),
            allowed,
        }),
        Found::Nothing => {
            let kind = resource_type(segments);
            if kind.is_empty() {
                return Err(ApiError::NoRoute {
                    path: trainyard_domain::name::excerpt(path),
                });
            }
            version(Versions::BatchAi, query)?;
            Err(ApiError::NoType { kind })
        }
    }
}

/// The resource type that a path names beneath Microsoft.BatchAI, such as `workspaces/clusters`; empty for other paths.
fn resource_type(segments: &[String]) -> String {
    let provider = segments
        .iter()
        .position(|s| s.eq_ignore_ascii_case("Microsoft.BatchAI"));
    let beneath = provider.map_or(&[][..], |at| &segments[at + 1..]);
    let kind: Vec<&str> = beneath.iter().step_by(2).map(String::as_str).collect();
    trainyard_domain::name::excerpt(&kind.join("/"))
}

/// The api-version in which a request is answered, if what was asked is served there. The operations around
/// Microsoft.BatchAI take any date; where they write something that has a version of ours, such as the link to
/// an operation, and another was asked, it is the one that all clients know.
fn version(versions: Versions, query: &Query) -> Result<ApiVersion, ApiError> {
    let usual = ApiVersion::V2018_05_01;
    if versions == Versions::Own {
        return Ok(usual);
    }
    let asked = query.get("api-version").filter(|asked| !asked.is_empty());
    let asked = asked.ok_or(ApiError::MissingApiVersion)?;
    match ApiVersion::parse(asked) {
        Some(version) => Ok(version),
        None if versions == Versions::ResourceManager && is_dated(asked) => Ok(usual),
        None => Err(ApiError::ApiVersion {
            asked: trainyard_domain::name::excerpt(asked),
        }),
    }
}

/// Whether a version begins with a date.
fn is_dated(version: &str) -> bool {
    version.len() >= 10
        && version.bytes().take(10).enumerate().all(|(i, b)| {
            if i == 4 || i == 7 {
                b == b'-'
            } else {
                b.is_ascii_digit()
            }
        })
}

/// A problem as an answer; what is our fault goes to the log with its causes.
fn refuse(problem: &ApiError) -> Reply {
    let shown = problem.show();
    if shown.status.is_server_error() {
        let mut causes = Vec::new();
        let mut source = std::error::Error::source(problem);
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        error!(code = shown.code, ?causes, "{problem}");
    }
    let body = ErrorBody {
        target: shown.target,
        ..ErrorBody::new(shown.code, shown.message)
    };
    let reply = Reply::json(shown.status, envelope::error(&body));
    let reply = match problem {
        ApiError::Method { allowed, .. } => reply.text_header(header::ALLOW, allowed),
        _ => reply,
    };
    match shown.status {
        StatusCode::UNAUTHORIZED => reply.header(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"Trainyard\""),
        ),
        StatusCode::SERVICE_UNAVAILABLE => reply.header(header::RETRY_AFTER, HeaderValue::from_static("5")),
        _ => reply,
    }
}
