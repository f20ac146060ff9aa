//! The commands that change the running installation's database and end. Each does what a page of the portal would do,
//! and is audited as the command line's doing.

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use service::{clock::Clock, config::Config};
use store::{
    Connection, Error, Transaction,
    api_keys::{self, KeyScope, NewKey},
    audit::{self, Actor, Entry},
    id_tokens::{self, IdToken},
    people::{self, Role, SiteRole},
    secrets, sites,
    stations::{self, NewStation, Registration},
};
use uuid::Uuid;

use crate::{
    cli::{AddSite, AddStation, AddTag, CreateKey, CreateUser},
    database::Database,
};

/// `forecourt migrate`
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    Database::attach(config)?.migrate().await?;
    println!("The database is up to date.");
    Ok(())
}

/// `forecourt station add`
pub async fn add_station(config: &Config, station: &AddStation) -> anyhow::Result<()> {
    let identity = station.identity.as_str();
    if !stations::is_identity(identity) {
        bail!(
            "station {identity:?}: expected {}. It is the last part of the URL that the charger connects to",
            stations::IDENTITY
        );
    }
    if station
        .password
        .as_deref()
        .is_some_and(|password| !secrets::is_password(password))
    {
        bail!("--password: expected {}", secrets::PASSWORD);
    }
    let profile = station
        .security_profile
        .unwrap_or(i16::from(station.password.is_some()));
    if (1..=2).contains(&profile) && station.password.is_none() {
        bail!(
            "--security-profile {profile} needs --password: the charger sends it by HTTP Basic auth"
        );
    }
    let hash = station
        .password
        .as_ref()
        .map(|password| secrets::hash_password(password.as_bytes()));

    let (mut db, now) = open(config).await?;
    let site_id = match &station.site {
        Some(site) => Some(site_named(&mut db, site).await?),
        None => None,
    };
    let new = NewStation {
        identity,
        site_id,
        registration: Registration::Accepted,
        security_profile: profile,
        password_hash: hash.as_deref(),
    };
    let added = stations::add(&mut db, &new, now).await;
    let id = explain(added, "stations_identity_key", || {
        format!("there is a station {identity} already")
    })?;
    close(db, now, "station.add", format!("station/{id}")).await?;
    println!(
        "Station {identity} may connect to {}/{identity}",
        config.csms.public_url
    );
    Ok(())
}

/// `forecourt tag add`
pub async fn add_tag(config: &Config, tag: &AddTag) -> anyhow::Result<()> {
    let token = tag.token.trim();
    if token.is_empty() || token.chars().count() > 20 || token.chars().any(char::is_control) {
        bail!(
            "tag {:?}: expected 1 to 20 characters, such as 04A2B3C4D5E680",
            tag.token
        );
    }
    let (mut db, now) = open(config).await?;
    let known = id_tokens::find(&mut db, token).await?;
    let new = IdToken {
        status: tag.status.clone(),
        ..known.unwrap_or_else(|| IdToken {
            token: token.to_owned(),
            kind: "RFID".to_owned(),
            status: String::new(),
            parent: None,
            expires_at: None,
            max_active: None,
            owner: String::new(),
        })
    };
    let id = id_tokens::put(&mut db, &new, now).await?;
    close(db, now, "id_token.put", format!("id_token/{id}")).await?;
    println!("Tag {token} is {}.", tag.status);
    Ok(())
}

/// `forecourt site add`
pub async fn add_site(config: &Config, site: &AddSite) -> anyhow::Result<()> {
    let name = site.name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        bail!(
            "site {:?}: expected a name of 1 to 200 characters",
            site.name
        );
    }
    let Ok(zone) = site.zone.parse() else {
        bail!(
            "--tz {}: expected an IANA time zone such as Europe/Berlin or UTC",
            site.zone
        );
    };
    let (mut db, now) = open(config).await?;
    let added = sites::add(&mut db, name, zone, now).await;
    let id = explain(added, "sites_name_key", || {
        format!("there is a site {name:?} already")
    })?;
    close(db, now, "site.add", format!("site/{id}")).await?;
    println!("Site {name:?} has the id {id}.");
    Ok(())
}

/// `forecourt user create`
pub async fn create_user(config: &Config, user: &CreateUser) -> anyhow::Result<()> {
    let email = user.email.trim();
    if !service::mail::is_address(email) {
        bail!(
            "--email {:?}: expected an address such as you@example.org",
            user.email
        );
    }
    let role =
        Role::parse(&user.role).context("--role: expected admin, operator, partner or driver")?;
    let at_site = match role {
        Role::Operator => SiteRole::Operator,
        _ => SiteRole::Viewer,
    };
    let (mut db, now) = open(config).await?;
    let mut site_ids = Vec::new();
    for site in &user.site {
        site_ids.push(site_named(&mut db, site).await?);
    }
    let added = people::add(&mut db, email, "", role, now).await;
    let id = explain(added, "users_email_key", || {
        format!("there is a person with the address {email} already")
    })?;
    for site_id in &site_ids {
        people::join(&mut db, id, *site_id, at_site, now).await?;
    }
    close(db, now, "user.create", format!("user/{id}")).await?;
    println!(
        "{email} may sign in at {} as {}.",
        config.portal.public_url,
        role.as_str()
    );
    if role != Role::Admin && site_ids.is_empty() {
        println!("Without --site there is nothing to see for anybody but an admin.");
    }
    if config.mail.smtp_url.is_none() && !config.demo {
        println!("Codes are sent by mail: set SMTP_URL where the portal and billing run.");
    }
    Ok(())
}

/// `forecourt api-key create`; only the key goes to standard output.
pub async fn create_key(config: &Config, key: &CreateKey) -> anyhow::Result<()> {
    let name = key.name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        bail!("--name {:?}: expected 1 to 200 characters", key.name);
    }
    let scopes: Vec<_> = key
        .scopes
        .iter()
        .filter_map(|scope| KeyScope::parse(scope))
        .collect();
    let (mut db, now) = open(config).await?;
    let new = NewKey {
        name,
        scopes: &scopes,
        site_ids: None,
        expires_at: None,
    };
    let (id, text) = api_keys::create(&mut db, &new, now).await?;
    close(db, now, "api_key.create", format!("api_key/{id}")).await?;
    println!("{text}");
    Ok(())
}

/// What a command does is one transaction, its entry in the audit log included.
async fn open(config: &Config) -> anyhow::Result<(Transaction, DateTime<Utc>)> {
    let database = Database::attach(config)?;
    database.expect_migrated().await?;
    Ok((database.begin().await?, Clock::system().now()))
}

async fn site_named(db: &mut Connection, name: &str) -> anyhow::Result<Uuid> {
    sites::find(db, name).await?.with_context(|| {
        format!("there is no site {name:?}; add it with `forecourt site add {name:?} --tz ZONE`")
    })
}

/// A conflict with the named constraint in people's words.
fn explain<T>(
    result: store::Result<T>,
    constraint: &str,
    words: impl FnOnce() -> String,
) -> anyhow::Result<T> {
    match result {
        Err(Error::Conflict(name)) if name == constraint => bail!(words()),
        other => Ok(other?),
    }
}

/// Audits what was done, and makes it so.
pub async fn close(
    mut db: Transaction,
    now: DateTime<Utc>,
    action: &str,
    entity: String,
) -> anyhow::Result<()> {
    let entry = Entry {
        at: now,
        actor: Actor::Cli,
        action: action.to_owned(),
        entity,
        detail: Default::default(),
    };
    audit::record(&mut db, &entry).await?;
    Ok(db.commit().await?)
}
