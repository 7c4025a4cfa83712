//! API keys: made, listed, given other grants, revoked.

use std::time::Duration;

use serde_json::json;
use tidings_core::port::directory::{ApiKey, DirectoryError, Grant};
use tidings_core::port::users::User;
use tidings_protocol::time::Timestamp;

use super::request::{CreatedKey, KeyCreate, KeyRow, Keys};
use super::secret::{KeyText, draw_id};
use super::{Admin, AdminError, failed, refused, tenants};

/// The longest name of a key, in bytes.
pub const NAME_BYTES: usize = 100;
/// The most grants of one key.
pub const GRANTS: usize = 100;
/// The longest time for which a key may be made to work: a hundred years.
const LONGEST_LIFE: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

impl Admin {
    pub(super) async fn create_key(&self, wanted: KeyCreate) -> Result<CreatedKey, AdminError> {
        let text = KeyText::draw().map_err(|error| failed(&error))?;
        let key = match &wanted.user {
            Some(user) => self.user_key(&wanted, self.active_user(user).await?)?,
            None => self.service_key(&wanted).await?,
        };
        self.directory.add_key(&key, text.hash()).await.map_err(|error| match error {
            DirectoryError::Taken => AdminError::Taken(format!(
                "tenant `{}` has a key named `{}` already: revoke that one first, or choose another name",
                key.tenant, key.name
            )),
            other => refused(&other, || tenants::missing(key.tenant.as_str())),
        })?;
        let metadata = json!({
            "name": key.name,
            "user": key.user.as_ref().map(|user| user.as_str()),
            "grants": texts(&key.grants),
            "expiresAt": key.expires_at,
        });
        self.note(&key.tenant, "key.created", &key.id, &metadata).await?;
        Ok(CreatedKey { id: key.id, key: text.into_string() })
    }

    /// A key that acts as nobody.
    async fn service_key(&self, wanted: &KeyCreate) -> Result<ApiKey, AdminError> {
        let key = ApiKey {
            id: draw_id().map_err(|error| failed(&error))?,
            tenant: self.tenant(wanted.tenant.as_deref().unwrap_or(tenants::DEFAULT)).await?,
            name: check_name(&wanted.name)?,
            user: None,
            grants: parse_grants(&wanted.grants)?,
            created_at: self.clock.now(),
            expires_at: None,
            revoked_at: None,
        };
        expiring(key, wanted.expires_in)
    }

    /// A key that acts as a user, with all that the user may do.
    fn user_key(&self, wanted: &KeyCreate, user: User) -> Result<ApiKey, AdminError> {
        if !wanted.grants.is_empty() {
            let why =
                "a key of a user may do what the user may, and has no grants of its own: leave them out";
            return Err(AdminError::Invalid(why.to_owned()));
        }
        if wanted.tenant.as_ref().is_some_and(|tenant| tenant != user.tenant.as_str()) {
            return Err(AdminError::Invalid(format!("user `{}` is of tenant `{}`", user.id, user.tenant)));
        }
        let key = ApiKey {
            id: draw_id().map_err(|error| failed(&error))?,
            tenant: user.tenant,
            name: check_name(&wanted.name)?,
            user: Some(user.id),
            grants: Vec::new(),
            created_at: self.clock.now(),
            expires_at: None,
            revoked_at: None,
        };
        expiring(key, wanted.expires_in)
    }

    pub(super) async fn keys(&self, tenant: Option<&str>) -> Result<Keys, AdminError> {
        let tenant = self.tenant_if_named(tenant).await?;
        let keys = self.directory.keys(tenant.as_ref()).await.map_err(|error| failed(&error))?;
        Ok(Keys { keys: keys.iter().map(KeyRow::from).collect() })
    }

    /// Adds grants to those the key has.
    pub(super) async fn grant(&self, id: &str, more: &[String]) -> Result<KeyRow, AdminError> {
        let more = parse_grants(more)?;
        let _turn = self.changing.lock().await;
        let key = self.service_key_by_id(id).await?;
        let new: Vec<Grant> = more.into_iter().filter(|grant| !key.grants.contains(grant)).collect();
        let grants: Vec<Grant> = key.grants.iter().chain(&new).cloned().collect();
        if grants.len() > GRANTS {
            return Err(AdminError::Invalid(format!("a key has at most {GRANTS} grants")));
        }
        self.regrant(key, &grants, "key.granted", &new).await
    }

    /// Takes grants from the key.
    pub(super) async fn ungrant(&self, id: &str, less: &[String]) -> Result<KeyRow, AdminError> {
        let less = parse_grants(less)?;
        let _turn = self.changing.lock().await;
        let key = self.service_key_by_id(id).await?;
        if let Some(stranger) = less.iter().find(|grant| !key.grants.contains(grant)) {
            let has = texts(&key.grants).join(" ");
            return Err(AdminError::Missing(format!("key `{id}` has no grant `{stranger}`; it has: {has}")));
        }
        let grants: Vec<Grant> = key.grants.iter().filter(|grant| !less.contains(grant)).cloned().collect();
        if grants.is_empty() {
            let why = format!("a key keeps at least one grant: `tidings key revoke {id}` ends it altogether");
            return Err(AdminError::Invalid(why));
        }
        self.regrant(key, &grants, "key.ungranted", &less).await
    }

    async fn regrant(
        &self,
        key: ApiKey,
        grants: &[Grant],
        action: &str,
        changed: &[Grant],
    ) -> Result<KeyRow, AdminError> {
        if changed.is_empty() {
            return Ok(KeyRow::from(&key));
        }
        let changed_key = self.directory.set_grants(&key.id, grants).await;
        let key = changed_key.map_err(|error| refused(&error, || missing(&key.id)))?;
        self.revocations.key_regranted(&key);
        self.note(&key.tenant, action, &key.id, &json!({ "grants": texts(changed) })).await?;
        Ok(KeyRow::from(&key))
    }

    /// A key whose grants can be changed.
    async fn service_key_by_id(&self, id: &str) -> Result<ApiKey, AdminError> {
        let keys = self.directory.keys(None).await.map_err(|error| failed(&error))?;
        let key = keys.into_iter().find(|key| key.id == id).ok_or_else(|| missing(id))?;
        if key.revoked_at.is_some() {
            return Err(AdminError::Invalid(format!("key `{id}` is revoked: make another")));
        }
        if let Some(user) = &key.user {
            let why = format!("key `{id}` acts as user `{user}` and has no grants of its own");
            return Err(AdminError::Invalid(why));
        }
        Ok(key)
    }

    pub(super) async fn revoke_key(&self, id: &str) -> Result<KeyRow, AdminError> {
        let now = self.clock.now();
        let key = self.directory.revoke_key(id).await.map_err(|error| refused(&error, || missing(id)))?;
        self.revocations.key_revoked(&key.id);
        if key.revoked_at.is_some_and(|at| at >= now) {
            self.note(&key.tenant, "key.revoked", &key.id, &json!({ "name": key.name })).await?;
        }
        Ok(KeyRow::from(&key))
    }
}

fn missing(id: &str) -> AdminError {
    AdminError::Missing(format!("there is no key `{id}`: `tidings key list` shows their ids"))
}

fn texts(grants: &[Grant]) -> Vec<String> {
    grants.iter().map(ToString::to_string).collect()
}

fn check_name(name: &str) -> Result<String, AdminError> {
    if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
        let why = format!("a key's name is 1 to {NAME_BYTES} bytes without control characters");
        return Err(AdminError::Invalid(why));
    }
    Ok(name.to_owned())
}

fn parse_grants(texts: &[String]) -> Result<Vec<Grant>, AdminError> {
    if texts.is_empty() || texts.len() > GRANTS {
        let why = format!("a key has 1 to {GRANTS} grants, e.g. publish:* or subscribe:cast:*");
        return Err(AdminError::Invalid(why));
    }
    let parse = |text: &String| text.parse().map_err(|why| AdminError::Invalid(format!("`{text}`: {why}")));
    let mut grants: Vec<Grant> = Vec::with_capacity(texts.len());
    for text in texts {
        let grant = parse(text)?;
        if !grants.contains(&grant) {
            grants.push(grant);
        }
    }
    Ok(grants)
}

fn expiring(key: ApiKey, seconds: Option<u64>) -> Result<ApiKey, AdminError> {
    let Some(seconds) = seconds else { return Ok(key) };
    if seconds == 0 || seconds > LONGEST_LIFE.as_secs() {
        return Err(AdminError::Invalid(
            "a key works for a second to a hundred years, or without end".into(),
        ));
    }
    let millis = i64::try_from(seconds * 1000).unwrap_or(i64::MAX);
    Ok(ApiKey { expires_at: Some(Timestamp(key.created_at.0.saturating_add(millis))), ..key })
}
