//! The store's database as its callers see it, each mode and each way to fail.

mod crash;
mod disk_full;
mod file_servers;
mod files;
mod group_commit;
mod inline;
mod migrations;
mod rotation;
mod support;
