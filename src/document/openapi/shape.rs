//! The parts of an OpenAPI document that are checked, with line numbers.
//!
//! Pure. The parser fills them in and skips the rest; `validate` checks them. A field with the wrong type differs from an
//! absent field, so that a message does not call a field missing that is merely a list.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A whole document.
pub type Document = Spanned<Mapping<Root>>;
/// The value of `paths` or `webhooks`.
pub type Items = Entries<Item>;
/// The value of one path: operations by method.
pub type Item = Entries<Operation>;

/// A value that must be a mapping.
#[derive(Debug)]
pub enum Mapping<T> {
    /// A mapping.
    Is(T),
    /// Any other type.
    Not,
}

/// Top-level fields.
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

/// A mapping with arbitrary keys, in document order.
#[derive(Debug)]
pub struct Entries<T>(pub Vec<Named<T>>);

/// A key and its value.
pub type Named<T> = (Spanned<String>, Mapping<T>);

/// A type of value that stands under certain keys only.
pub trait Entry {
    /// Whether the value under `key` has this type. Values under other keys are not checked.
    fn is_entry(key: &str) -> bool;
}

impl Entry for Item {
    fn is_entry(key: &str) -> bool {
        !key.starts_with("x-")
    }
}

impl Entry for Operation {
    fn is_entry(key: &str) -> bool {
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
            if T::is_entry(&key.value) {
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
