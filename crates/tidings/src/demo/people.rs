//! The demo's users and keys: fresh secrets at each start, the earlier ones void.

use serde::de::DeserializeOwned;
use tidings_server::admin::request::{
    CreatedKey, KeyCreate, KeyRow, Keys, Login, Request, UserAdd, UserRows,
};
use tidings_server::admin::{Admin, AdminError};

use super::TENANT;

/// What the service key is called.
const SERVICE: &str = "serve --demo";
/// What the member's key is called.
const MEMBER: &str = "serve --demo, member";

/// The email of the demo's member.
pub(super) const MEMBER_EMAIL: &str = "member@demo.example";
/// The email of the demo's admin.
pub(super) const ADMIN_EMAIL: &str = "admin@demo.example";

/// What a start has drawn.
pub(super) struct People {
    pub(super) service_key: String,
    pub(super) member_key: String,
    pub(super) member: Login,
    pub(super) admin: Login,
}

/// Makes the users where they are not there, and draws new passwords and keys.
///
/// # Errors
/// Storage's; and where the users are not as they were made.
pub(super) async fn draw(admin: &Admin) -> Result<People, AdminError> {
    revoke(admin).await?;
    let member = login(admin, MEMBER_EMAIL, "member").await?;
    let grants = vec!["publish:*".to_owned(), "subscribe:*".to_owned()];
    let service = KeyCreate { name: SERVICE.to_owned(), grants, ..KeyCreate::default() };
    let of_member =
        KeyCreate { name: MEMBER.to_owned(), user: Some(member.id.clone()), ..KeyCreate::default() };
    Ok(People {
        service_key: create(admin, service).await?,
        member_key: create(admin, of_member).await?,
        member,
        admin: login(admin, ADMIN_EMAIL, "admin").await?,
    })
}

async fn ask<T: DeserializeOwned>(admin: &Admin, request: Request) -> Result<T, AdminError> {
    let answer = admin.carry_out(request).await?;
    serde_json::from_value(answer).map_err(|error| AdminError::Failed(error.to_string()))
}

async fn revoke(admin: &Admin) -> Result<(), AdminError> {
    let listed: Keys = ask(admin, Request::KeyList { tenant: Some(TENANT.to_owned()) }).await?;
    let is_demo = |key: &KeyRow| [SERVICE, MEMBER].contains(&key.name.as_str()) && key.revoked_at.is_none();
    for key in listed.keys.into_iter().filter(is_demo) {
        let _: KeyRow = ask(admin, Request::KeyRevoke { id: key.id }).await?;
    }
    Ok(())
}

async fn create(admin: &Admin, key: KeyCreate) -> Result<String, AdminError> {
    let key = KeyCreate { tenant: Some(TENANT.to_owned()), ..key };
    let made: CreatedKey = ask(admin, Request::KeyCreate(key)).await?;
    Ok(made.key)
}

async fn login(admin: &Admin, email: &str, role: &str) -> Result<Login, AdminError> {
    let listed: UserRows = ask(admin, Request::UserList { tenant: Some(TENANT.to_owned()) }).await?;
    let is_there = listed.users.iter().any(|user| user.email.as_deref() == Some(email));
    let request = if is_there {
        Request::UserPassword { user: email.to_owned(), password: None }
    } else {
        let (tenant, email, role) = (TENANT.to_owned(), email.to_owned(), role.to_owned());
        Request::UserAdd(UserAdd { tenant, email, role, password: None })
    };
    ask(admin, request).await
}
