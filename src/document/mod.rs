//! What a Publication uploads: the OpenAPI document, checked, and the archive that it is packed into with its metadata.
//!
//! Pure. Knows neither resources nor AppLink.

// Nothing from outside may end the process.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used))]

pub mod archive;
pub mod openapi;
