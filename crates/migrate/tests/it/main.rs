//! Checks over whole files and over real command lines.

mod corpus;
mod files;
