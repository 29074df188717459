//! Volumes that a program mounts: rclone, the kernel's clients, a command of the user's.
//!
//! Each is mounted once in the node's own folder ([`keep::Keep`]), however many ask for it, and shown where they want
//! it, as a folder of the machine is.

mod command;
pub mod flush;
pub mod keep;
mod keeper;
mod kernel;
pub mod lower;
pub mod raise;
mod rclone;
mod tool;
pub mod unmount;
mod words;
