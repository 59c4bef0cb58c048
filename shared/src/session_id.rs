//! The id of a verification session.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A session's id: a random UUID of our own (RFC 9562, version 4), never Plivo's.
///
/// Only one spelling is accepted, lower case with hyphens, so that no counter can be
/// bypassed by writing the same id in another way.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; 16]);

/// The text is not a version 4 UUID in lower case with hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSessionId;

impl SessionId {
    /// Makes an id from 16 random bytes, of which 122 bits are kept.
    pub const fn from_random_bytes(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// Parses an id in its one spelling.
    pub fn parse(text: &str) -> Result<Self, InvalidSessionId> {
        let text: &[u8; 36] = text.as_bytes().try_into().map_err(|_| InvalidSessionId)?;
        let mut bytes = [0; 16];
        let mut digits = 0;
        for (index, byte) in text.iter().enumerate() {
            let hyphen_here = matches!(index, 8 | 13 | 18 | 23);
            let value = match byte {
                b'-' if hyphen_here => continue,
                _ if hyphen_here => return Err(InvalidSessionId),
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                _ => return Err(InvalidSessionId),
            };
            bytes[digits / 2] = (bytes[digits / 2] << 4) | value;
            digits += 1;
        }
        let id = Self(bytes);
        if Self::from_random_bytes(bytes) == id {
            Ok(id)
        } else {
            Err(InvalidSessionId)
        }
    }

    /// The 16 bytes, for keyed hashes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                formatter.write_str("-")?;
            }
            write!(formatter, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// Whoever holds the id holds the session, so `Debug` shows only its beginning.
impl fmt::Debug for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SessionId({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

impl fmt::Display for InvalidSessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not a lower-case hyphenated UUID of version 4")
    }
}

impl std::error::Error for InvalidSessionId {}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "8e712097-8090-4644-81e7-8f4265d8354e";

    #[test]
    fn the_one_spelling_is_read_and_written_back() {
        assert_eq!(SessionId::parse(TEXT).unwrap().to_string(), TEXT);
    }

    #[test]
    fn the_other_spellings_and_versions_are_refused() {
        for text in [
            "",
            "8E712097-8090-4644-81E7-8F4265D8354E",
            "8e7120978090464481e78f4265d8354e",
            "{8e712097-8090-4644-81e7-8f4265d8354e}",
            "urn:uuid:8e712097-8090-4644-81e7-8f4265d8354e",
            "8e712097-8090-1644-81e7-8f4265d8354e",
            "8e712097-8090-4644-c1e7-8f4265d8354e",
            "8e712097-8090-4644-81e7-8f4265d8354g",
            "8e71209-78090-4644-81e7-8f4265d8354e",
            "../../Message/aaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert_eq!(SessionId::parse(text), Err(InvalidSessionId), "{text:?}");
        }
    }

    #[test]
    fn random_bytes_become_a_version_4_id() {
        for bytes in [[0; 16], [0xff; 16]] {
            let id = SessionId::from_random_bytes(bytes);
            assert_eq!(SessionId::parse(&id.to_string()), Ok(id));
        }
    }
}
