//! The tenant: the wall between companies or apps. Order, quota, retention and isolation are per tenant.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::limits::TENANT_BYTES;

/// The name of a tenant: `[a-z0-9][a-z0-9_-]{0,62}`.
///
/// It comes from the credential alone, never from a path, query, body or header, and is part of every key, row and
/// cache entry.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Arc<str>);

/// Why a text is not a tenant's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tenant's name is 1 to 63 of a-z, 0-9, '-' and '_', beginning with a letter or digit")]
pub struct InvalidTenant;

impl TenantId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = InvalidTenant;

    fn from_str(text: &str) -> Result<Self, InvalidTenant> {
        let bytes = text.as_bytes();
        let allowed = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let first = bytes.first().is_some_and(allowed);
        let rest = bytes.iter().all(|byte| allowed(byte) || matches!(byte, b'-' | b'_'));
        if first && rest && bytes.len() <= TENANT_BYTES { Ok(Self(text.into())) } else { Err(InvalidTenant) }
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_words() {
        for good in ["default", "a", "team-7", "x_y", &"a".repeat(63)] {
            assert_eq!(good.parse::<TenantId>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "_a", "A", "a b", "a/b", "ä", "a\n", &"a".repeat(64)] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad:?}");
        }
    }
}
