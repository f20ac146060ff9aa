//! Signing in: one-time codes on their way, and logins. Which code may be sent or tried is the portal's decision; here
//! are the rows it decides by, and a lock that makes counting and writing one step.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection, PgTransaction};
use uuid::Uuid;

use crate::people::{User, UserRow};
use crate::{Result, ids, secrets};

/// A login that is used all the time is noted as seen this often.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// A transaction in which nobody else signs in. What is not committed is undone.
pub type Step<'c> = PgTransaction<'c>;

/// Begins a step of signing in. Steps go one after the other, so that two requests at once cannot both be the last
/// that a limit allows.
pub async fn step(db: &mut PgConnection) -> Result<Step<'_>> {
    let mut tx = db.begin().await?;
    sqlx::query!("select pg_advisory_xact_lock(hashtext('sign_in'))")
        .execute(&mut *tx)
        .await?;
    Ok(tx)
}

/// A code that was asked for, as limits count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// When.
    pub at: DateTime<Utc>,
    /// For the address in question, by whichever browser.
    pub same_email: bool,
    /// From the network address in question, for whichever e-mail.
    pub same_address: bool,
    /// How often a code was typed in for it.
    pub tries: i32,
}

/// The codes that were asked for since `since` for this e-mail or from this network address, the oldest first.
pub async fn asked(
    db: &mut PgConnection,
    email: &str,
    address: &str,
    since: DateTime<Utc>,
) -> Result<Vec<Asked>> {
    Ok(sqlx::query_as!(
        Asked,
        r#"select created_at as at, lower(email) = lower($1) as "same_email!", address = $2 as "same_address!", tries
           from sign_in_codes
           where created_at > $3 and (lower(email) = lower($1) or address = $2)
           order by created_at"#,
        email,
        address,
        since
    )
    .fetch_all(db)
    .await?)
}

/// A code to be kept, by its hashes only.
#[derive(Debug, Clone)]
pub struct NewCode<'a> {
    /// Its id; part of what is hashed.
    pub id: Uuid,
    /// Whoever it is meant for, known or not.
    pub email: &'a str,
    /// Of the code, with the browser's secret in it.
    pub code_hash: [u8; 32],
    /// Of the secret of the browser that asked.
    pub browser_hash: [u8; 32],
    /// From where it was asked for.
    pub address: &'a str,
    /// When it stops to work.
    pub expires_at: DateTime<Utc>,
}

/// The mail that carries a code.
#[derive(Debug, Clone)]
pub struct CodeMail<'a> {
    /// One line.
    pub subject: &'a str,
    /// Plain text.
    pub text: &'a str,
}

/// Keeps a code, and queues its mail if the address is that of an active person: one statement for known and unknown
/// alike. Answers whether there is a mail.
pub async fn keep_code(
    db: &mut PgConnection,
    code: &NewCode<'_>,
    mail: &CodeMail<'_>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let mailed = sqlx::query_scalar!(
        r#"with kept as (
             insert into sign_in_codes (id, email, code_hash, browser_hash, address, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7)),
           mailed as (
             insert into mail_outbox (id, recipient, subject, body_text, created_at, next_try_at, give_up_at)
             select $8, email, $9, $10, $6, $6, $7 from users where lower(email) = lower($2) and active
             returning id)
           select exists (select from mailed) as "mailed!""#,
        code.id,
        code.email,
        &code.code_hash[..],
        &code.browser_hash[..],
        code.address,
        now,
        code.expires_at,
        ids::new_id(now),
        mail.subject,
        mail.text
    )
    .fetch_one(db)
    .await?;
    Ok(mailed)
}

/// A code as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// Its id.
    pub id: Uuid,
    /// Whoever it is meant for.
    pub email: String,
    /// Of the code, with the browser's secret in it.
    pub code_hash: Vec<u8>,
    /// How often it was tried.
    pub tries: i32,
    /// From where it was asked for.
    pub address: String,
    /// When it stops to work.
    pub expires_at: DateTime<Utc>,
    /// When it was used.
    pub used_at: Option<DateTime<Utc>>,
    /// Whether no other was asked for after it for the same e-mail.
    pub newest: bool,
}

/// The last code that a browser asked for.
pub async fn code_of(db: &mut PgConnection, browser_hash: &[u8; 32]) -> Result<Option<Code>> {
    Ok(sqlx::query_as!(
        Code,
        r#"select c.id, c.email, c.code_hash, c.tries, c.address, c.expires_at, c.used_at,
                  not exists (select from sign_in_codes later where lower(later.email) = lower(c.email)
                              and (later.created_at, later.id) > (c.created_at, c.id)) as "newest!"
           from sign_in_codes c where c.browser_hash = $1
           order by c.created_at desc, c.id desc limit 1"#,
        &browser_hash[..]
    )
    .fetch_optional(db)
    .await?)
}

/// Notes that a code was tried, and with `used` that it was right and is spent.
pub async fn tried(db: &mut PgConnection, id: Uuid, used: bool, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update sign_in_codes set tries = tries + 1, used_at = case when $2 then $3 else used_at end where id = $1",
        id,
        used,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A login to be opened.
#[derive(Debug, Clone)]
pub struct NewLogin<'a> {
    /// Whose.
    pub user_id: Uuid,
    /// From where.
    pub address: &'a str,
    /// With which browser, as it says.
    pub user_agent: &'a str,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}

/// Opens a login and answers its token, which only the cookie holds. Logins of that person that have ended go.
pub async fn open(
    db: &mut PgConnection,
    login: &NewLogin<'_>,
    now: DateTime<Utc>,
) -> Result<String> {
    let token = secrets::random_hex(32);
    sqlx::query!(
        "with ended as (delete from logins where user_id = $2 and expires_at <= $3)
         insert into logins (token_hash, user_id, created_at, last_seen_at, expires_at, address, user_agent)
         values ($1, $2, $3, $3, $4, $5, $6)",
        &secrets::sha256(token.as_bytes())[..],
        login.user_id,
        now,
        login.expires_at,
        login.address,
        login.user_agent
    )
    .execute(db)
    .await?;
    Ok(token)
}

/// The active person whose login has this token. That it was seen is noted at most once a minute.
pub async fn find(db: &mut PgConnection, token: &str, now: DateTime<Utc>) -> Result<Option<User>> {
    let hash = secrets::sha256(token.as_bytes());
    let Some(row) = sqlx::query!(
        "select u.id, u.email, u.name, u.role, l.last_seen_at
         from logins l join users u on u.id = l.user_id
         where l.token_hash = $1 and l.expires_at > $2 and u.active",
        &hash[..],
        now
    )
    .fetch_optional(&mut *db)
    .await?
    else {
        return Ok(None);
    };
    if row.last_seen_at + NOTED_EVERY <= now {
        sqlx::query!(
            "update logins set last_seen_at = greatest(last_seen_at, $2) where token_hash = $1",
            &hash[..],
            now
        )
        .execute(db)
        .await?;
    }
    let user = UserRow {
        id: row.id,
        email: row.email,
        name: row.name,
        role: row.role,
    };
    Ok(Some(user.try_into()?))
}

/// Ends the login with this token; there may be none.
pub async fn close(db: &mut PgConnection, token: &str) -> Result<()> {
    sqlx::query!(
        "delete from logins where token_hash = $1",
        &secrets::sha256(token.as_bytes())[..]
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A mail of the outbox, for the demo's mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// To whom.
    pub recipient: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body_text: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// The last mails, sent or not, the newest first. For the demo alone: they hold codes.
pub async fn mailbox(db: &mut PgConnection, limit: i64) -> Result<Vec<Mail>> {
    Ok(sqlx::query_as!(
        Mail,
        "select recipient, subject, body_text, created_at from mail_outbox
         order by created_at desc, id desc limit $1",
        limit
    )
    .fetch_all(db)
    .await?)
}
