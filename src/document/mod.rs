//! What a Publication uploads: the OpenAPI document, checked, and the archive that it is packed into with its metadata.
//!
//! Pure. Knows neither resources nor AppLink.

pub mod archive;
pub mod openapi;
