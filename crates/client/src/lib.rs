//! A small client of the service, for the commands of this binary.
