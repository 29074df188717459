//! What a handler gets and gives: a [`Call`] and a [`Reply`].

mod call;
mod reply;

pub use call::{Call, Peer, Query, Scheme, base_url};
pub use reply::{Reply, http_date};
