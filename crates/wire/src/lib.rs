//! One adapter per api-version: wire bodies to domain and back.
