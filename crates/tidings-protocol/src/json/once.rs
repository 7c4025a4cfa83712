//! An object whose members stand once.
//!
//! Of two members with one name (RFC 8259 section 4 leaves open which counts) one reader takes the first and another the
//! last; a type that names its members would refuse those it knows, and a map take the last. Here both are refused, by
//! name as it is meant, however it is written. Leaves out: objects inside, which are their readers' to look at.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

/// Reads an object, whatever is asked for.
pub(super) struct Once<D>(pub(super) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Once<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Object(visitor))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Object<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Members { map, seen: HashSet::new() })
    }
}

/// The members, and the names of those that were given.
struct Members<'de, A> {
    map: A,
    seen: HashSet<Cow<'de, str>>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.map.next_key_seed(NewName { seed, seen: &mut self.seen })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.map.size_hint()
    }
}

/// A name that was not given before.
struct NewName<'a, 'de, K> {
    seed: K,
    seen: &'a mut HashSet<Cow<'de, str>>,
}

impl<'de, K: DeserializeSeed<'de>> NewName<'_, 'de, K> {
    fn give<E: Error>(self, name: Cow<'de, str>) -> Result<K::Value, E> {
        if self.seen.contains(&name) {
            return Err(E::custom(format_args!("the member `{name:.100}` stands twice")));
        }
        let given = self.seed.deserialize(serde::de::value::CowStrDeserializer::new(name.clone()))?;
        self.seen.insert(name);
        Ok(given)
    }
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for NewName<'_, 'de, K> {
    type Value = K::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<K::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, K: DeserializeSeed<'de>> Visitor<'de> for NewName<'_, 'de, K> {
    type Value = K::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<K::Value, E> {
        self.give(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<K::Value, E> {
        self.give(Cow::Owned(name.to_owned()))
    }
}
