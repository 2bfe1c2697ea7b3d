//! The parts of an OpenAPI document that are judged, each with the line it is in.
//!
//! Pure. A parser fills them in and skips the rest; `judge` looks at them. What is of another type than it must be is
//! told from what is absent, so that nobody is told that `paths` is missing who wrote a list.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// The whole.
pub type Document = Spanned<Mapping<Root>>;
/// What `paths` and `webhooks` hold: operations by method, by path or name.
pub type Items = Entries<Item>;
/// What stands under one path: operations by method.
pub type Item = Entries<Operation>;

/// Something that must be a mapping.
#[derive(Debug)]
pub enum Mapping<T> {
    /// It is one.
    Is(T),
    /// It is something else.
    Not,
}

/// The top of a document.
#[derive(Debug, serde::Deserialize)]
pub struct Root {
    pub openapi: Option<Spanned<String>>,
    pub swagger: Option<Spanned<IgnoredAny>>,
    pub info: Option<Spanned<Mapping<Info>>>,
    pub paths: Option<Spanned<Mapping<Items>>>,
    pub webhooks: Option<Spanned<Mapping<Items>>>,
    pub components: Option<IgnoredAny>,
}

#[derive(Debug, serde::Deserialize)]
pub struct Info {
    pub title: Option<IgnoredAny>,
    pub version: Option<IgnoredAny>,
}

#[derive(Debug, serde::Deserialize)]
pub struct Operation {
    #[serde(rename = "operationId")]
    pub operation_id: Option<Spanned<String>>,
    pub responses: Option<IgnoredAny>,
}

/// The entries of a mapping whose keys are up to its author, in their order.
#[derive(Debug)]
pub struct Entries<T>(pub Vec<Named<T>>);

/// A key and what stands under it.
pub type Named<T> = (Spanned<String>, Mapping<T>);

/// What stands under keys of a certain sort.
pub trait Entry {
    /// Whether such a thing stands under this key; anything may stand under the others.
    fn stands_under(key: &str) -> bool;
}

impl Entry for Item {
    fn stands_under(key: &str) -> bool {
        !key.starts_with("x-")
    }
}

impl Entry for Operation {
    fn stands_under(key: &str) -> bool {
        matches!(key, "get" | "put" | "post" | "delete" | "options" | "head" | "patch" | "trace")
    }
}

impl<'de, T: Entry + Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: Entry + Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            if T::stands_under(&key.value) {
                entries.push((key, map.next_value()?));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Entries(entries))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Mapping<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MappingVisitor(PhantomData))
    }
}

struct MappingVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for MappingVisitor<T> {
    type Value = Mapping<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Mapping::Is)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Mapping::Not)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Mapping::Not)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Mapping::Not)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Mapping::Not)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Self::Value, E> {
        Ok(Mapping::Not)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Self::Value, E> {
        Ok(Mapping::Not)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Mapping::Not)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Mapping::Not)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Self::Value, E> {
        Ok(Mapping::Not)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Mapping::Not)
    }
}
