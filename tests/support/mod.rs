//! What several integration tests share. Each includes it whole and uses a part, hence the allowance.
#![allow(dead_code)]

pub mod apiserver;
pub mod keys;
pub mod sets;
