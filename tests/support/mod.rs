//! Code shared by several integration tests. Each includes all of it and uses a part, hence the allowance.
#![allow(dead_code)]

pub mod apiserver;
pub mod keys;
pub mod sets;
