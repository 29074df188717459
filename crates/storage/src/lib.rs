//! Storage accounts as directories, output files and signed links.
