//! Which id token charges on whose account (spec billing-sync OB-5 to OB-7). A token without a mapping of its own charges
//! on the account of its nearest mapped ancestor. Mapping a token also maps its descendants, so that people see them;
//! those rows change and go with it, until somebody edits one: then it is that token's own.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, ids, past_accounts};

/// How far up a token's ancestors are asked; a longer chain is a mistake.
pub(crate) const GENERATIONS: i32 = 16;

/// What people set of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMapping {
    /// The token, compared without regard to case.
    pub id_token: String,
    /// Who pays.
    pub customer_id: Uuid,
    /// The subscription that its usage goes to; `None`: the customer's first active one.
    pub subscription: Option<String>,
    /// What it is called in lists.
    pub display_name: String,
    /// Free text.
    pub notes: String,
    /// An inactive mapping bills nobody, nor does the token then charge on its parent's account.
    pub active: bool,
}

/// A mapping, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Its id.
    pub id: Uuid,
    /// The token.
    pub id_token: String,
    /// The token's parent, if it has one.
    pub parent: Option<String>,
    /// Who pays.
    pub customer_id: Uuid,
    /// The customer's name.
    pub customer: String,
    /// The customer's id in Lago.
    pub lago_customer: Option<String>,
    /// The subscription that its usage goes to; `None`: the customer's first active one.
    pub subscription: Option<String>,
    /// What it is called in lists.
    pub display_name: String,
    /// Free text.
    pub notes: String,
    /// Whether it bills.
    pub active: bool,
    /// The mapping that it was made with, if it was made for a descendant.
    pub made_for: Option<Uuid>,
    /// How many rows were made with it.
    pub children: i64,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// On whose account a token charges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The mapping that says so.
    pub mapping_id: Uuid,
    /// The token that the mapping is of: the one asked for, or an ancestor.
    pub mapped_token: String,
    /// Who pays.
    pub customer_id: Uuid,
    /// The customer's id in Lago.
    pub lago_customer: Option<String>,
    /// The subscription in Lago; `None`: the customer's first active one.
    pub lago_subscription: Option<String>,
    /// Whether it bills. An inactive mapping is found, so that nobody further up is billed instead.
    pub active: bool,
}

/// What a change did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The mapping.
    pub id: Uuid,
    /// The tokens of its descendants that were made, changed or deleted with it.
    pub children: Vec<String>,
}

/// Maps a token and its descendants. One that was mapped with its parent becomes the token's own.
///
/// # Errors
/// [`crate::Error::Conflict`] `tag_mappings_id_token_key` if the token has a mapping of its own.
pub async fn create(
    db: &mut PgConnection,
    new: &NewMapping,
    now: DateTime<Utc>,
) -> Result<Changed> {
    let family = past_accounts::family(db, &new.id_token).await?;
    sqlx::query!(
        "delete from tag_mappings where lower(id_token) = lower($1) and made_for is not null",
        new.id_token
    )
    .execute(&mut *db)
    .await?;
    let id = ids::new_id(now);
    sqlx::query!(
        "insert into tag_mappings (id, id_token, customer_id, lago_subscription_external_id, display_name, notes, active,
           created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        id,
        new.id_token,
        new.customer_id,
        new.subscription,
        new.display_name,
        new.notes,
        new.active,
        now
    )
    .execute(&mut *db)
    .await?;
    let children = hand_down(db, id, now).await?;
    family.remember(db, now).await?;
    Ok(Changed { id, children })
}

/// Changes a mapping and those of its descendants that were made with it; `None` if there is no such mapping. One that was
/// made with a parent's becomes the token's own. The token itself stays.
pub async fn update(
    db: &mut PgConnection,
    id: Uuid,
    new: &NewMapping,
    now: DateTime<Utc>,
) -> Result<Option<Changed>> {
    let Some(family) = family_of(db, id).await? else {
        return Ok(None);
    };
    sqlx::query!(
        "update tag_mappings set customer_id = $2, lago_subscription_external_id = $3, display_name = $4, notes = $5,
           active = $6, made_for = null, updated_at = $7
         where id = $1",
        id,
        new.customer_id,
        new.subscription,
        new.display_name,
        new.notes,
        new.active,
        now
    )
    .execute(&mut *db)
    .await?;
    let children = hand_down(db, id, now).await?;
    family.remember(db, now).await?;
    Ok(Some(Changed { id, children }))
}

/// Deletes a mapping and those of its descendants that were made with it; `None` if there is no such mapping.
pub async fn delete(
    db: &mut PgConnection,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Changed>> {
    let Some(family) = family_of(db, id).await? else {
        return Ok(None);
    };
    let children = children(db, id).await?;
    sqlx::query!("delete from tag_mappings where id = $1", id)
        .execute(&mut *db)
        .await?;
    family.remember(db, now).await?;
    Ok(Some(Changed { id, children }))
}

/// The token of a mapping and those below it, with whom they charge on, before something of it changes; `None` if there is
/// no such mapping. Whoever changes it too waits.
async fn family_of(db: &mut PgConnection, id: Uuid) -> Result<Option<past_accounts::Family>> {
    let token = sqlx::query_scalar!(
        "select id_token from tag_mappings where id = $1 for update",
        id
    )
    .fetch_optional(&mut *db)
    .await?;
    match token {
        Some(token) => Ok(Some(past_accounts::family(db, &token).await?)),
        None => Ok(None),
    }
}

/// The tokens whose mappings were made with `id`.
async fn children(db: &mut PgConnection, id: Uuid) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "select id_token from tag_mappings where made_for = $1 order by lower(id_token)",
        id
    )
    .fetch_all(db)
    .await?)
}

/// Makes the rows of a mapping's descendants what they should be. The way down ends at tokens with mappings of their own,
/// and where a chain comes back to itself.
async fn hand_down(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<Vec<String>> {
    let below = sqlx::query!(
        r#"with recursive down as (
             select m.id_token as token, 0 as depth, array[lower(m.id_token)] as path from tag_mappings m where m.id = $1
             union all
             select t.token, down.depth + 1, down.path || lower(t.token)
             from down join id_tokens t on lower(t.parent) = lower(down.token)
             where down.depth < $2 and lower(t.token) <> all (down.path)
               and not exists (
                 select from tag_mappings own where lower(own.id_token) = lower(t.token) and own.made_for is null))
           select token as "token!" from down where depth > 0 order by path"#,
        id,
        GENERATIONS
    )
    .fetch_all(&mut *db)
    .await?;
    let tokens: Vec<String> = below.into_iter().map(|row| row.token).collect();
    let new: Vec<Uuid> = tokens.iter().map(|_| ids::new_id(now)).collect();
    sqlx::query!(
        "delete from tag_mappings where made_for = $1
         and lower(id_token) <> all (select lower(t) from unnest($2::text[]) t)",
        id,
        &tokens
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "insert into tag_mappings (id, id_token, customer_id, lago_subscription_external_id, display_name, notes, active,
           made_for, created_at, updated_at)
         select child.id, child.token, m.customer_id, m.lago_subscription_external_id,
           coalesce(nullif(m.display_name, ''), m.id_token) || ' (child of ' || m.id_token || ')',
           'Made with the mapping of ' || m.id_token, m.active, m.id, $4, $4
         from unnest($2::uuid[], $3::text[]) as child (id, token) join tag_mappings m on m.id = $1
         on conflict (lower(id_token)) do update set
           customer_id = excluded.customer_id,
           lago_subscription_external_id = excluded.lago_subscription_external_id,
           display_name = excluded.display_name, notes = excluded.notes, active = excluded.active,
           made_for = excluded.made_for, updated_at = excluded.updated_at",
        id,
        &new,
        &tokens,
        now
    )
    .execute(db)
    .await?;
    Ok(tokens)
}

/// Every mapping, children after their parent. They belong to no site: only a reader of all sites may ask.
pub async fn list(db: &mut PgConnection) -> Result<Vec<Mapping>> {
    rows(db, None).await
}

/// One mapping.
pub async fn find(db: &mut PgConnection, id: Uuid) -> Result<Option<Mapping>> {
    Ok(rows(db, Some(id)).await?.pop())
}

async fn rows(db: &mut PgConnection, id: Option<Uuid>) -> Result<Vec<Mapping>> {
    Ok(sqlx::query_as!(
        Mapping,
        r#"select m.id, m.id_token, t.parent as "parent?", m.customer_id, c.name as customer,
                  c.lago_external_id as lago_customer, m.lago_subscription_external_id as subscription,
                  m.display_name, m.notes, m.active, m.made_for, m.updated_at,
                  (select count(*) from tag_mappings child where child.made_for = m.id) as "children!"
           from tag_mappings m
           join customers c on c.id = m.customer_id
           left join id_tokens t on lower(t.token) = lower(m.id_token)
           left join tag_mappings made_for on made_for.id = m.made_for
           where $1::uuid is null or m.id = $1
           order by lower(coalesce(made_for.id_token, m.id_token)), m.made_for is not null, lower(m.id_token)"#,
        id
    )
    .fetch_all(db)
    .await?)
}

/// The id tokens without a mapping row, for a list to choose from.
pub async fn unmapped(db: &mut PgConnection, limit: i64) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "select token from id_tokens t
         where not exists (select from tag_mappings m where lower(m.id_token) = lower(t.token))
         order by lower(token) limit $1",
        limit
    )
    .fetch_all(db)
    .await?)
}

/// How many mappings there are, and how many of them are active.
pub async fn count(db: &mut PgConnection) -> Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"select count(*) as "all!", count(*) filter (where active) as "active!" from tag_mappings"#
    )
    .fetch_one(db)
    .await?;
    Ok((row.all, row.active))
}

/// Who pays for what `token` charges: the customer of its own mapping, else of its nearest mapped ancestor. `None` if there
/// is none, or the mapping that decides is inactive.
pub async fn customer_of(db: &mut PgConnection, token: &str) -> Result<Option<Account>> {
    let tokens = [token.to_owned()];
    let account = accounts(db, &tokens).await?.pop().flatten();
    Ok(account.filter(|account| account.active))
}

/// The mapping that decides for each token, in the order asked; inactive ones too, for the caller to tell.
pub async fn accounts(db: &mut PgConnection, tokens: &[String]) -> Result<Vec<Option<Account>>> {
    let rows = sqlx::query!(
        r#"with recursive up as (
             select ask.n, ask.token, 0 as depth, array[lower(ask.token)] as path
             from unnest($1::text[]) with ordinality as ask (token, n)
             union all
             select up.n, t.parent, up.depth + 1, up.path || lower(t.parent)
             from up join id_tokens t on lower(t.token) = lower(up.token)
             where up.depth < $2 and t.parent is not null and lower(t.parent) <> all (up.path)
               and not exists (select from tag_mappings m where lower(m.id_token) = lower(up.token)))
           select up.n as "n!", m.id as mapping_id, m.id_token as mapped_token, m.customer_id,
                  c.lago_external_id as lago_customer, m.lago_subscription_external_id as lago_subscription, m.active
           from up
           join tag_mappings m on lower(m.id_token) = lower(up.token)
           join customers c on c.id = m.customer_id"#,
        tokens,
        GENERATIONS
    )
    .fetch_all(db)
    .await?;
    let mut found = vec![None; tokens.len()];
    for row in rows {
        let place = usize::try_from(row.n - 1).expect("ordinality starts at one");
        found[place] = Some(Account {
            mapping_id: row.mapping_id,
            mapped_token: row.mapped_token,
            customer_id: row.customer_id,
            lago_customer: row.lago_customer,
            lago_subscription: row.lago_subscription,
            active: row.active,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id_tokens::{self, IdToken},
        testing::{TestDb, database},
    };

    fn now() -> DateTime<Utc> {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    /// A family: FLEET has VAN and CAR, VAN has TRAILER; LOOP-A and LOOP-B are each other's parents.
    async fn family() -> TestDb {
        let test = database().await;
        let mut db = test.pool.acquire().await.unwrap();
        for (token, parent) in [
            ("FLEET", None),
            ("VAN", Some("fleet")),
            ("CAR", Some("FLEET")),
            ("TRAILER", Some("VAN")),
            ("LOOP-A", Some("LOOP-B")),
            ("LOOP-B", Some("LOOP-A")),
        ] {
            let token = IdToken {
                token: token.to_owned(),
                kind: "RFID".to_owned(),
                status: "accepted".to_owned(),
                parent: parent.map(str::to_owned),
                expires_at: None,
                max_active: None,
                owner: String::new(),
            };
            id_tokens::put(&mut db, &token, now()).await.unwrap();
        }
        for (n, name) in [(1, "Acme"), (2, "Bolt")] {
            sqlx::query!(
                "insert into customers (id, name, lago_external_id, created_at) values ($1, $2, lower($2), $3)",
                Uuid::from_u128(n),
                name,
                now()
            )
            .execute(&mut *db)
            .await
            .unwrap();
        }
        test
    }

    fn mapping(token: &str, customer: u128) -> NewMapping {
        NewMapping {
            id_token: token.to_owned(),
            customer_id: Uuid::from_u128(customer),
            subscription: None,
            display_name: format!("Card of {customer}"),
            notes: String::new(),
            active: true,
        }
    }

    async fn payer(db: &mut PgConnection, token: &str) -> Option<String> {
        let account = customer_of(db, token).await.unwrap()?;
        account.lago_customer
    }

    #[tokio::test]
    async fn v8_a_child_charges_on_its_parents_account() {
        let test = family().await;
        let mut db = test.pool.acquire().await.unwrap();
        let fleet = create(&mut db, &mapping("FLEET", 1), now()).await.unwrap();
        sqlx::query!("delete from tag_mappings where made_for is not null")
            .execute(&mut *db)
            .await
            .unwrap();
        let account = customer_of(&mut db, "trailer").await.unwrap().unwrap();
        assert_eq!(
            (
                account.mapping_id,
                account.mapped_token.as_str(),
                account.lago_customer.as_deref()
            ),
            (fleet.id, "FLEET", Some("acme"))
        );
        assert_eq!(payer(&mut db, "STRANGER").await, None);
    }

    #[tokio::test]
    async fn descendants_are_mapped_changed_and_deleted_with_their_parent() {
        let test = family().await;
        let mut db = test.pool.acquire().await.unwrap();
        let fleet = create(&mut db, &mapping("FLEET", 1), now()).await.unwrap();
        assert_eq!(fleet.children, ["CAR", "VAN", "TRAILER"]);
        let rows = list(&mut db).await.unwrap();
        assert_eq!(
            rows.iter()
                .map(|row| (row.id_token.as_str(), row.display_name.as_str()))
                .collect::<Vec<_>>(),
            [
                ("FLEET", "Card of 1"),
                ("CAR", "Card of 1 (child of FLEET)"),
                ("TRAILER", "Card of 1 (child of FLEET)"),
                ("VAN", "Card of 1 (child of FLEET)"),
            ]
        );
        assert_eq!(rows[0].children, 3);
        assert_eq!(rows[1].notes, "Made with the mapping of FLEET");

        // A child's own mapping is left alone, and what is below it follows it.
        let van = create(&mut db, &mapping("VAN", 2), now()).await.unwrap();
        assert_eq!(van.children, ["TRAILER"]);
        let off = NewMapping {
            active: false,
            ..mapping("FLEET", 1)
        };
        let changed = update(&mut db, fleet.id, &off, now())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(changed.children, ["CAR"]);
        assert_eq!(payer(&mut db, "CAR").await, None);
        assert_eq!(payer(&mut db, "TRAILER").await.as_deref(), Some("bolt"));

        let deleted = delete(&mut db, van.id, now()).await.unwrap().unwrap();
        assert_eq!(deleted.children, ["TRAILER"]);
        assert_eq!(count(&mut db).await.unwrap(), (2, 0));
        assert_eq!(delete(&mut db, van.id, now()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_inactive_mapping_bills_nobody() {
        let test = family().await;
        let mut db = test.pool.acquire().await.unwrap();
        create(&mut db, &mapping("FLEET", 1), now()).await.unwrap();
        let off = NewMapping {
            active: false,
            ..mapping("VAN", 2)
        };
        create(&mut db, &off, now()).await.unwrap();
        assert_eq!(payer(&mut db, "VAN").await, None);
        assert_eq!(payer(&mut db, "TRAILER").await, None);
        assert_eq!(payer(&mut db, "CAR").await.as_deref(), Some("acme"));
    }

    #[tokio::test]
    async fn a_row_made_for_a_child_becomes_its_own_when_edited() {
        let test = family().await;
        let mut db = test.pool.acquire().await.unwrap();
        let fleet = create(&mut db, &mapping("FLEET", 1), now()).await.unwrap();
        let rows = list(&mut db).await.unwrap();
        let car = rows.iter().find(|row| row.id_token == "CAR").unwrap();
        update(&mut db, car.id, &mapping("CAR", 2), now())
            .await
            .unwrap()
            .unwrap();
        let changed = update(&mut db, fleet.id, &mapping("FLEET", 1), now())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(changed.children, ["VAN", "TRAILER"]);
        assert_eq!(payer(&mut db, "CAR").await.as_deref(), Some("bolt"));
        let error = create(&mut db, &mapping("car", 1), now())
            .await
            .unwrap_err();
        assert!(error.is_conflict("tag_mappings_id_token_key"), "{error}");
    }

    #[tokio::test]
    async fn circles_end() {
        let test = family().await;
        let mut db = test.pool.acquire().await.unwrap();
        assert_eq!(payer(&mut db, "LOOP-A").await, None);
        let circle = create(&mut db, &mapping("LOOP-A", 1), now()).await.unwrap();
        assert_eq!(circle.children, ["LOOP-B"]);
        assert_eq!(payer(&mut db, "LOOP-B").await.as_deref(), Some("acme"));
        assert_eq!(
            unmapped(&mut db, 10).await.unwrap(),
            ["CAR", "FLEET", "TRAILER", "VAN"]
        );
    }
}
