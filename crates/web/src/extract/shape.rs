//! Whether a type is a struct. serde reads a struct from an array as well, field by field in order, which no description of an
//! API says; so JSON that is an array is refused where a struct is wanted.

use std::fmt;

use serde::{
    Deserializer,
    de::{self, DeserializeOwned, Visitor},
    forward_to_deserialize_any,
};

/// Whether `T` asks for a struct first.
pub(super) fn is_struct<T: DeserializeOwned>() -> bool {
    matches!(T::deserialize(Probe), Err(Asked::Struct))
}

/// Has no data; answers with what it was asked for.
struct Probe;

#[derive(Debug)]
enum Asked {
    Struct,
    Else,
}

impl<'de> Deserializer<'de> for Probe {
    type Error = Asked;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Asked> {
        Err(Asked::Struct)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Asked> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Asked> {
        Err(Asked::Else)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map enum identifier ignored_any
    }
}

impl de::Error for Asked {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Else
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Asked {}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    #[derive(Deserialize)]
    struct Plain {
        #[serde(default, rename = "a")]
        _a: u8,
    }

    #[derive(Deserialize)]
    struct Wrapped(#[expect(dead_code, reason = "only its shape matters")] Plain);

    #[test]
    fn structs_are_told_from_all_else() {
        assert!(is_struct::<Plain>());
        assert!(is_struct::<Wrapped>());
        assert!(!is_struct::<Vec<Plain>>());
        assert!(!is_struct::<Value>());
        assert!(!is_struct::<serde_json::Map<String, Value>>());
        assert!(!is_struct::<(u8, u8)>());
    }
}
