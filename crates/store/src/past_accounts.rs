//! On whose account tokens charged before their mapping changed. Written when mappings are ([`crate::tag_mappings`]), and
//! asked when a month is invoiced. Who pays today is not here.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Result,
    tag_mappings::{self, GENERATIONS},
};

/// Whom a token and those below it charge on.
#[derive(Debug)]
pub(crate) struct Family {
    tokens: Vec<String>,
    customers: Vec<Option<Uuid>>,
}

/// As it stands.
pub(crate) async fn family(db: &mut PgConnection, token: &str) -> Result<Family> {
    let tokens = sqlx::query_scalar!(
        r#"with recursive down as (
             select lower($1) as token, 0 as depth, array[lower($1)] as path
             union all
             select lower(t.token), down.depth + 1, down.path || lower(t.token)
             from down join id_tokens t on lower(t.parent) = down.token
             where down.depth < $2 and lower(t.token) <> all (down.path))
           select distinct token as "token!" from down order by 1"#,
        token,
        GENERATIONS
    )
    .fetch_all(&mut *db)
    .await?;
    let customers = customers(db, &tokens).await?;
    Ok(Family { tokens, customers })
}

async fn customers(db: &mut PgConnection, tokens: &[String]) -> Result<Vec<Option<Uuid>>> {
    let accounts = tag_mappings::accounts(db, tokens).await?;
    let active = accounts
        .into_iter()
        .map(|account| account.filter(|account| account.active));
    Ok(active
        .map(|account| account.map(|account| account.customer_id))
        .collect())
}

impl Family {
    /// Remembers the customers of those who charge on another account now than they did.
    pub(crate) async fn remember(self, db: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
        let after = customers(db, &self.tokens).await?;
        let moved = self
            .tokens
            .into_iter()
            .zip(self.customers)
            .zip(after)
            .filter_map(|((token, before), after)| {
                before
                    .filter(|before| Some(*before) != after)
                    .map(|before| (token, before))
            });
        let (tokens, customers): (Vec<String>, Vec<Uuid>) = moved.unzip();
        sqlx::query!(
            "insert into past_accounts (id_token, customer_id, until)
             select m.id_token, m.customer_id, $3 from unnest($1::text[], $2::uuid[]) as m (id_token, customer_id)
             on conflict do nothing",
            &tokens,
            &customers,
            now
        )
        .execute(db)
        .await?;
        Ok(())
    }
}

/// Forgets who paid for a token and those below it before: whoever has them today pays for whatever is not invoiced yet.
pub async fn forget(db: &mut PgConnection, token: &str) -> Result<()> {
    let family = family(db, token).await?;
    sqlx::query!(
        "delete from past_accounts where id_token = any ($1)",
        &family.tokens
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Who paid when each of these was charged, in the order asked; `None`: nobody but who pays today.
pub async fn payers(
    db: &mut PgConnection,
    asked: &[(&str, DateTime<Utc>)],
) -> Result<Vec<Option<Uuid>>> {
    let (tokens, times): (Vec<String>, Vec<DateTime<Utc>>) = asked
        .iter()
        .map(|(token, at)| ((*token).to_owned(), *at))
        .unzip();
    Ok(sqlx::query_scalar!(
        r#"select p.customer_id as "customer_id?"
           from unnest($1::text[], $2::timestamptz[]) with ordinality as ask (token, at, n)
           left join lateral (
             select p.customer_id from past_accounts p
             where p.id_token = lower(ask.token) and p.until > ask.at order by p.until limit 1) p on true
           order by ask.n"#,
        &tokens,
        &times
    )
    .fetch_all(db)
    .await?)
}
