//! Files that hold command lines among other things: the pieces are cut out, and what is found in them is moved
//! to its place in the file.

pub mod docker;
mod lists;
pub mod markdown;
mod piece;
pub mod yaml;
