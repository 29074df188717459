//! Where the server listens: one TCP address, with TLS or without, and a socket in its data folder.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use axum::{Extension, Router};
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::RustlsConfig;
use tokio::net::UnixListener;
use tokio::sync::oneshot;
use trainyard_server::{Clock, Scheme};

use super::ports::SystemClock;
use crate::authority;
use crate::config::Config;

/// How long a new connection may take for its first request.
const FIRST_REQUEST: Duration = Duration::from_secs(60);
/// How long a connection may say nothing, or take for the head of a request: nobody may hold connections for ever.
const SILENCE: Duration = Duration::from_secs(120);
/// How long answers under way may take when the server ends.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// The socket of this machine's own commands.
pub const SOCKET: &str = "admin.sock";

/// The listening address, open.
pub struct Listening {
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    /// The certificate of the local authority that vouches for it.
    pub authority: Option<PathBuf>,
    /// As a URL.
    pub url: String,
}

impl Listening {
    /// Opens the address of the configuration.
    pub async fn open(config: &Config) -> anyhow::Result<Listening> {
        let listener = TcpListener::bind(config.listen).with_context(|| {
            format!(
                "cannot listen on {}; choose another address with --listen",
                config.listen
            )
        })?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (tls, authority) = match (&config.tls.certificate, &config.tls.key) {
            (Some(certificate), Some(key)) => (Some(read_tls(certificate, key).await?), None),
            _ if config.tls.local => {
                let files = authority::ensure(config.data(), authority::names(config), SystemClock.now())?;
                let tls = read_tls(&files.certificate, &files.key).await?;
                (Some(tls), Some(files.authority))
            }
            _ => (None, None),
        };
        let url = url(address, tls.is_some());
        Ok(Listening {
            listener,
            tls,
            authority,
            url,
        })
    }

    /// Serves until `handle` is told to end.
    pub async fn serve(self, router: Router, handle: Handle<SocketAddr>) -> anyhow::Result<()> {
        match self.tls {
            Some(tls) => {
                let router = router.layer(Extension(Scheme::Https));
                let server = axum_server::from_tcp_rustls(self.listener, tls)?;
                let mut server = server.first_request_timeout(FIRST_REQUEST).handle(handle);
                server.http_builder().http1().header_read_timeout(SILENCE);
                server
                    .serve(router.into_make_service_with_connect_info::<SocketAddr>())
                    .await?;
            }
            None => {
                let server = axum_server::from_tcp(self.listener)?.acceptor(NoDelayAcceptor::new());
                let mut server = server.first_request_timeout(FIRST_REQUEST).handle(handle);
                server.http_builder().http1().header_read_timeout(SILENCE);
                server
                    .serve(router.into_make_service_with_connect_info::<SocketAddr>())
                    .await?;
            }
        }
        Ok(())
    }
}

/// Has a server end: no new connections, answers under way get a moment.
pub fn end(handle: &Handle<SocketAddr>) {
    handle.graceful_shutdown(Some(LAST_ANSWERS));
}

fn url(address: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{address}")
}

async fn read_tls(certificate: &Path, key: &Path) -> anyhow::Result<RustlsConfig> {
    // One provider for the process; a second call finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    RustlsConfig::from_pem_file(certificate, key).await.with_context(|| {
        let (certificate, key) = (certificate.display(), key.display());
        format!("the TLS files {certificate} and {key} cannot be used; give PEM files of a certificate and its key")
    })
}

/// The admin socket, open, readable by its owner only.
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Opens the socket in the data folder, which is locked by now: an old one is nobody's.
    pub fn open(data: &Path) -> anyhow::Result<AdminSocket> {
        let path = data.join(SOCKET);
        let _ = std::fs::remove_file(&path);
        // A socket's path ends at 108 bytes; through the open folder it is always short.
        let folder = std::fs::File::open(data)?;
        let short = format!(
            "/proc/self/fd/{}/{SOCKET}",
            std::os::fd::AsRawFd::as_raw_fd(&folder)
        );
        let listener =
            UnixListener::bind(short).with_context(|| format!("cannot open {}", path.display()))?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
        Ok(AdminSocket { listener, path })
    }

    /// Serves until `ended`; answers under way get a moment.
    pub async fn serve(
        self,
        router: Router,
        ended: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let (tell, told) = oneshot::channel::<()>();
        let serving = axum::serve(self.listener, router).with_graceful_shutdown(async move {
            ended.await;
            let _ = tell.send(());
        });
        // Half a request that nobody ever completes must not keep the server.
        let too_long = async {
            let _ = told.await;
            tokio::time::sleep(LAST_ANSWERS).await;
        };
        tokio::select! {
            served = serving.into_future() => served?,
            () = too_long => {}
        }
        let _ = std::fs::remove_file(&self.path);
        Ok(())
    }
}

/// A handle to end the server by.
pub fn handle() -> Handle<SocketAddr> {
    Handle::new()
}
