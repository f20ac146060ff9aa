//! Configuration templates: named sets of what keys should be, given to stations, sites or models. Where two of them
//! speak of a key, the narrower one wins: station, then site, then model; of equals the first by name.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::configuration::drift::Expected;
use crate::{Result, Scoped, ids};

/// A template with its keys and where it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    /// Its id.
    pub id: Uuid,
    /// Its name; unique whatever the case.
    pub name: String,
    /// Key and value, by key.
    pub keys: Vec<(String, String)>,
    /// Identities of stations.
    pub stations: Vec<String>,
    /// Names of sites.
    pub sites: Vec<String>,
    /// Models, as stations say them.
    pub models: Vec<String>,
}

/// What a template is to be.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    /// Its name.
    pub name: &'a str,
    /// Key and value; each key once.
    pub keys: &'a [(String, String)],
    /// Stations.
    pub stations: &'a [Uuid],
    /// Sites.
    pub sites: &'a [Uuid],
    /// Models.
    pub models: &'a [String],
}

/// Every template, by name. They belong to no site: only a reader of all sites may ask.
pub async fn list(db: &mut PgConnection) -> Result<Vec<Template>> {
    let rows = sqlx::query!(
        r#"select t.id, t.name,
             array(select k.key from configuration_template_keys k where k.template_id = t.id order by lower(k.key)) as "keys!",
             array(select k.value from configuration_template_keys k where k.template_id = t.id order by lower(k.key)) as "values!",
             array(select s.identity from configuration_template_uses u join stations s on s.id = u.station_id
                   where u.template_id = t.id order by lower(s.identity)) as "stations!",
             array(select s.name from configuration_template_uses u join sites s on s.id = u.site_id
                   where u.template_id = t.id order by lower(s.name)) as "sites!",
             array(select u.model from configuration_template_uses u
                   where u.template_id = t.id and u.model is not null order by lower(u.model)) as "models!"
           from configuration_templates t order by lower(t.name)"#
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Template {
            id: row.id,
            name: row.name,
            keys: row.keys.into_iter().zip(row.values).collect(),
            stations: row.stations,
            sites: row.sites,
            models: row.models,
        })
        .collect())
}

/// Makes a template, or changes the one of this id. Its name may be taken:
/// [`crate::Error::Conflict`] of `configuration_templates_name_key`.
pub async fn put(
    db: &mut PgConnection,
    id: Option<Uuid>,
    fields: &Fields<'_>,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let id = id.unwrap_or_else(|| ids::new_id(now));
    sqlx::query!(
        "insert into configuration_templates (id, name, created_at, updated_at) values ($1, $2, $3, $3)
         on conflict (id) do update set name = excluded.name, updated_at = excluded.updated_at",
        id,
        fields.name,
        now
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "delete from configuration_template_keys where template_id = $1",
        id
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "delete from configuration_template_uses where template_id = $1",
        id
    )
    .execute(&mut *db)
    .await?;
    let keys: Vec<String> = fields.keys.iter().map(|pair| pair.0.clone()).collect();
    let values: Vec<String> = fields.keys.iter().map(|pair| pair.1.clone()).collect();
    sqlx::query!(
        "insert into configuration_template_keys (template_id, key, value)
         select $1, key, value from unnest($2::text[], $3::text[]) as said (key, value)",
        id,
        &keys,
        &values
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "insert into configuration_template_uses (template_id, station_id, site_id, model)
         select $1::uuid, id, null::uuid, null::text from unnest($2::uuid[]) as id
         union all select $1, null, id, null from unnest($3::uuid[]) as id
         union all select $1, null, null, model from unnest($4::text[]) as model
         on conflict do nothing",
        id,
        fields.stations,
        fields.sites,
        fields.models
    )
    .execute(&mut *db)
    .await?;
    Ok(id)
}

/// Takes a template away; whether there was one.
pub async fn delete(db: &mut PgConnection, id: Uuid) -> Result<bool> {
    let gone = sqlx::query!("delete from configuration_templates where id = $1", id)
        .execute(db)
        .await?;
    Ok(gone.rows_affected() > 0)
}

/// What the keys of a station should be.
pub async fn expected(db: &mut Scoped<'_>, station_id: Uuid) -> Result<Vec<Expected>> {
    Ok(sqlx::query_as!(
        Expected,
        r#"select distinct on (lower(k.key)) k.key, k.value, t.name as template
           from stations s
           join configuration_template_uses u
             on u.station_id = s.id or u.site_id = s.site_id or lower(u.model) = lower(s.model)
           join configuration_templates t on t.id = u.template_id
           join configuration_template_keys k on k.template_id = t.id
           where s.id = $1
           order by lower(k.key),
             case when u.station_id is not null then 0 when u.site_id is not null then 1 else 2 end, lower(t.name)"#,
        station_id
    )
    .fetch_all(&mut **db)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{database, station};
    use crate::{Room, Scope, sites};

    #[tokio::test]
    async fn the_narrower_template_wins() {
        let db = database().await;
        let now: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        let mut writer = db.pool.acquire().await.unwrap();
        let site = sites::add(&mut writer, "North", chrono_tz::UTC, now)
            .await
            .unwrap();
        let id = station(&mut writer, "CP1", Some(site), now).await;
        sqlx::query("update stations set model = 'One'")
            .execute(&mut *writer)
            .await
            .unwrap();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let model = Fields {
            name: "Model",
            keys: &[pair("A", "1"), pair("B", "1"), pair("C", "1")],
            stations: &[],
            sites: &[],
            models: &["one".to_owned()],
        };
        let at_site = Fields {
            name: "Site",
            keys: &[pair("b", "2"), pair("C", "2")],
            sites: &[site],
            models: &[],
            ..model
        };
        let own = Fields {
            name: "Own",
            keys: &[pair("C", "3")],
            stations: &[id],
            sites: &[],
            ..at_site
        };
        for fields in [&model, &at_site, &own] {
            put(&mut writer, None, fields, now).await.unwrap();
        }
        let pool = db.pool(Room::Portal);
        let mut scoped = Scope::Sites(vec![site]).begin(&pool).await.unwrap();
        let found: Vec<(String, String, String)> = expected(&mut scoped, id)
            .await
            .unwrap()
            .into_iter()
            .map(|row| (row.key, row.value, row.template))
            .collect();
        let row = |key: &str, value: &str, name: &str| {
            (key.to_owned(), value.to_owned(), name.to_owned())
        };
        assert_eq!(
            found,
            [
                row("A", "1", "Model"),
                row("b", "2", "Site"),
                row("C", "3", "Own")
            ]
        );
        assert_eq!(list(&mut writer).await.unwrap().len(), 3);
        let taken = put(&mut writer, None, &Fields { name: "own", ..own }, now).await;
        assert!(
            taken
                .unwrap_err()
                .is_conflict("configuration_templates_name_key")
        );
    }
}
