//! Where nodes let people in.

use std::net::Ipv4Addr;

use trainyard_domain::ids::Uid;
use trainyard_store::Snapshot;
use trainyard_wire::v2018_05_01 as wire;

use crate::App;
use crate::arm_error::ApiError;
use crate::http::Reply;
use crate::login::Reach;

/// The nodes that `find` finds, by uid, name and own address, as shown. A node that has just been made gets its port
/// now.
pub fn list(
    app: &App,
    find: impl Fn(&Snapshot<'_>) -> Result<Vec<(Uid, String, Ipv4Addr)>, ApiError>,
) -> Result<Reply, ApiError> {
    let all_open = app.read(|s| Ok(s.logins()?.values().all(Option::is_some)))?;
    if !all_open {
        // Waits for one commit, once for new nodes.
        app.open_logins()?;
    }
    let logins = app.read(|s| {
        let nodes = find(s)?.into_iter();
        let shown = nodes.map(|(uid, node_id, own)| {
            let Reach { address, port } = app.login.reach(s, uid, &own)?;
            Ok(wire::RemoteLogin {
                node_id,
                ip_address: address,
                port,
            })
        });
        shown.collect::<Result<Vec<_>, ApiError>>()
    })?;
    Ok(Reply::ok(wire::remote_login(&logins, None)))
}
