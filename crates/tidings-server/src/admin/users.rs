//! Users: made, listed, disabled, given another password.

use serde_json::json;
use tidings_core::port::directory::DirectoryError;
use tidings_core::port::users::{PasswordHash, Role, User, UserId};

use super::request::{DisabledUser, Login, UserAdd, UserRow, UserRows};
use super::secret::SecretText;
use super::{Admin, AdminError, email, failed, refused, tenants};
use crate::auth::password;
use crate::ids::random_text;

/// A password that is to be set: what is stored of it, and its text where it was drawn here.
struct NewPassword {
    hash: PasswordHash,
    drawn: Option<String>,
}

impl Admin {
    pub(super) async fn add_user(&self, wanted: UserAdd) -> Result<Login, AdminError> {
        let email = email::parse(&wanted.email).map_err(AdminError::Invalid)?;
        let role = parse_role(&wanted.role)?;
        let tenant = self.tenant(&wanted.tenant).await?;
        let password = new_password(wanted.password).await?;
        let id = random_text::<10>().map_err(|error| failed(&error))?;
        let id = UserId::new(&format!("usr_{id}"))
            .ok_or_else(|| AdminError::Failed("a user's id could not be drawn".to_owned()))?;
        let user = User {
            id,
            tenant,
            email: Some(email.clone()),
            role,
            created_at: self.clock.now(),
            disabled_at: None,
        };
        self.users.add_user(&user, &password.hash).await.map_err(|error| match error {
            DirectoryError::Taken => AdminError::Taken(format!(
                "there is a user `{email}` already: emails are distinct over all tenants"
            )),
            other => refused(&other, || tenants::missing(&wanted.tenant)),
        })?;
        let metadata = json!({ "email": email, "role": role.name() });
        self.note(&user.tenant, "user.created", user.id.as_str(), &metadata).await?;
        Ok(Login { id: user.id.to_string(), email, password: password.drawn })
    }

    pub(super) async fn users(&self, tenant: Option<&str>) -> Result<UserRows, AdminError> {
        let tenant = self.tenant_if_named(tenant).await?;
        let users = self.users.users(tenant.as_ref()).await.map_err(|error| failed(&error))?;
        Ok(UserRows { users: users.iter().map(UserRow::from).collect() })
    }

    /// Disables a user by email or id. An id that is not stored is one that only tokens name, now or at some time: it
    /// needs its tenant, and an issuer of that tenant.
    pub(super) async fn disable_user(
        &self,
        name: &str,
        tenant: Option<&str>,
    ) -> Result<DisabledUser, AdminError> {
        let now = self.clock.now();
        let tenant = self.tenant_if_named(tenant).await?;
        let found = self.find_user(name).await?.map(|user| user.id);
        let entered = found.is_none();
        if let Some(tenant) = tenant.as_ref().filter(|_| entered) {
            self.configured.check_token_user(name, tenant)?;
        }
        let id = found.or_else(|| UserId::new(name)).ok_or_else(|| missing(name))?;
        let disabled = self.users.disable_user(&id, tenant.as_ref()).await;
        let user = disabled.map_err(|error| match error {
            DirectoryError::Taken => {
                AdminError::Invalid(format!("user `{name}` is of another tenant: leave --tenant out"))
            }
            other => refused(&other, || missing(name)),
        })?;
        self.revocations.user_disabled(&user.id);
        if user.disabled_at.is_some_and(|at| at >= now) {
            let metadata = json!({ "email": user.email });
            self.note(&user.tenant, "user.disabled", user.id.as_str(), &metadata).await?;
        }
        Ok(DisabledUser { user: UserRow::from(&user), entered })
    }

    /// Sets another password; wherever the user was signed in, it is signed out.
    pub(super) async fn set_password(
        &self,
        name: &str,
        password: Option<SecretText>,
    ) -> Result<Login, AdminError> {
        let user = self.active_user(name).await?;
        let Some(email) = user.email else {
            let why = format!("only tokens name the user `{}`: it signs in without a password", user.id);
            return Err(AdminError::Invalid(why));
        };
        let password = new_password(password).await?;
        let ended = self.users.set_password(&user.id, &password.hash).await;
        let ended = ended.map_err(|error| refused(&error, || missing(name)))?;
        ended.iter().for_each(|id| self.revocations.cookie_session_ended(id));
        let metadata = json!({ "email": email });
        self.note(&user.tenant, "user.password_changed", user.id.as_str(), &metadata).await?;
        Ok(Login { id: user.id.to_string(), email, password: password.drawn })
    }

    /// The user of an email or id, if it is stored.
    pub(super) async fn find_user(&self, name: &str) -> Result<Option<User>, AdminError> {
        // Ids of tokens may look like emails, so that one is looked up as both.
        if let Ok(email) = email::parse(name)
            && let Some((user, _)) = self.users.find_login(&email).await.map_err(|error| failed(&error))?
        {
            return Ok(Some(user));
        }
        let Some(id) = UserId::new(name) else { return Ok(None) };
        self.users.find_user(&id).await.map_err(|error| failed(&error))
    }

    /// The same; it must be there and not be disabled.
    pub(super) async fn active_user(&self, name: &str) -> Result<User, AdminError> {
        let user = self.find_user(name).await?.ok_or_else(|| {
            AdminError::Missing(format!("there is no user `{name}`: `tidings user list` shows them"))
        })?;
        if user.disabled_at.is_some() {
            return Err(AdminError::Invalid(format!("user `{name}` is disabled")));
        }
        Ok(user)
    }
}

fn missing(name: &str) -> AdminError {
    AdminError::Missing(format!(
        "there is no user `{name}`: `tidings user list` shows them; an id that only tokens name needs --tenant"
    ))
}

fn parse_role(word: &str) -> Result<Role, AdminError> {
    Role::parse(word)
        .ok_or_else(|| AdminError::Invalid(format!("`{word}` is no role: it is member or admin")))
}

/// Draws a password where none is given, else checks the given one; hashes it beside other work.
async fn new_password(given: Option<SecretText>) -> Result<NewPassword, AdminError> {
    let is_drawn = given.is_none();
    let text = match given {
        Some(text) => text.into_string(),
        None => random_text::<20>().map_err(|error| failed(&error))?,
    };
    password::check(&text).map_err(AdminError::Invalid)?;
    let hashing = tokio::task::spawn_blocking(move || (password::hash(&text), text));
    let (hash, text) = hashing.await.map_err(|error| failed(&error))?;
    Ok(NewPassword { hash: hash.map_err(AdminError::Failed)?, drawn: is_drawn.then_some(text) })
}
