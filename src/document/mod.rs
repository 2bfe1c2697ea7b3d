//! What a Publication uploads: the OpenAPI document, validated, and the archive with the document and its metadata.
//!
//! Pure. Knows neither Kubernetes resources nor AppLink.

// Nothing from outside may end the process.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used))]

pub mod archive;
pub mod openapi;
