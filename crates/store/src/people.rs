//! People: who they are, their role, and the sites that they look after.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, Result, ids};

/// What a person is to the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sees every site and may do everything.
    Admin,
    /// Runs the stations of the sites that it is a member of.
    Operator,
    /// Looks at, or runs, the sites that it is a member of, without what is personal.
    Partner,
    /// Charges a car.
    Driver,
}

impl Role {
    /// Every role, the mightiest first.
    pub const ALL: [Role; 4] = [Role::Admin, Role::Operator, Role::Partner, Role::Driver];

    /// As stored and as the command line says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Operator => "operator",
            Role::Partner => "partner",
            Role::Driver => "driver",
        }
    }

    /// The reverse of [`Role::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// What a person may do at one site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteRole {
    /// Look.
    Viewer,
    /// Look, and command its stations.
    Operator,
}

impl SiteRole {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            SiteRole::Viewer => "viewer",
            SiteRole::Operator => "operator",
        }
    }

    /// The reverse of [`SiteRole::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [SiteRole::Viewer, SiteRole::Operator]
            .into_iter()
            .find(|role| role.as_str() == text)
    }
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: Uuid,
    /// Where the sign-in codes go; unique, whatever the case.
    pub email: String,
    /// For people; may be empty.
    pub name: String,
    /// What it is to the installation.
    pub role: Role,
}

/// One row of [`User`] before its words are understood.
pub(crate) struct UserRow {
    pub id: Uuid,
    pub email: String,
    pub name: String,
    pub role: String,
}

impl TryFrom<UserRow> for User {
    type Error = Error;

    fn try_from(row: UserRow) -> Result<Self> {
        let role = Role::parse(&row.role).ok_or_else(|| Error::Corrupt {
            table: "users",
            column: "role",
            row: row.id.to_string(),
            value: row.role.clone(),
        })?;
        Ok(User {
            id: row.id,
            email: row.email,
            name: row.name,
            role,
        })
    }
}

/// Adds a person; [`Error::Conflict`] `users_email_key` if the address is taken in any case.
pub async fn add(
    db: &mut PgConnection,
    email: &str,
    name: &str,
    role: Role,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let id = ids::new_id(now);
    sqlx::query!(
        "insert into users (id, email, name, role, created_at) values ($1, $2, $3, $4, $5)",
        id,
        email,
        name,
        role.as_str(),
        now
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// Makes a person a member of a site, or changes what it may do there.
pub async fn join(
    db: &mut PgConnection,
    user_id: Uuid,
    site_id: Uuid,
    role: SiteRole,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into site_memberships (user_id, site_id, role, created_at) values ($1, $2, $3, $4)
         on conflict (user_id, site_id) do update set role = excluded.role",
        user_id,
        site_id,
        role.as_str(),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The sites that a person is a member of, and what it may do at each. No row, no data.
pub async fn memberships(db: &mut PgConnection, user_id: Uuid) -> Result<Vec<(Uuid, SiteRole)>> {
    sqlx::query!(
        "select site_id, role from site_memberships where user_id = $1 order by site_id",
        user_id
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| match SiteRole::parse(&row.role) {
        Some(role) => Ok((row.site_id, role)),
        None => Err(Error::Corrupt {
            table: "site_memberships",
            column: "role",
            row: format!("{user_id}, {}", row.site_id),
            value: row.role,
        }),
    })
    .collect()
}

/// The active person with this address, whatever the case.
pub async fn find(db: &mut PgConnection, email: &str) -> Result<Option<User>> {
    sqlx::query_as!(
        UserRow,
        "select id, email, name, role from users where lower(email) = lower($1) and active",
        email
    )
    .fetch_optional(db)
    .await?
    .map(User::try_from)
    .transpose()
}

/// The address of a person, active or not: for those who read what was done.
pub async fn email(db: &mut PgConnection, user_id: Uuid) -> Result<Option<String>> {
    Ok(
        sqlx::query_scalar!("select email from users where id = $1", user_id)
            .fetch_optional(db)
            .await?,
    )
}

/// Ends or restores a person's access. Ending it ends every login of theirs.
pub async fn set_active(db: &mut PgConnection, user_id: Uuid, active: bool) -> Result<()> {
    sqlx::query!(
        "with ended as (delete from logins where user_id = $1 and not $2)
         update users set active = $2 where id = $1",
        user_id,
        active
    )
    .execute(db)
    .await?;
    Ok(())
}
