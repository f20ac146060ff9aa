//! Customers: who pays. Which id tokens charge on whose account is in `tag_mappings`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, ids};

/// What people set of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// As printed; several may have one name.
    pub name: String,
    /// Where invoices are mailed; empty: nowhere.
    pub email: String,
    /// Lines of the postal address, as printed.
    pub address: String,
    /// ISO 3166-1 alpha-2, or empty.
    pub country: String,
    /// VAT number or the like; may be empty.
    pub tax_id: String,
    /// Its id in Lago, if usage is sent there; unique.
    pub lago_external_id: Option<String>,
    /// Whether its sessions are invoiced.
    pub active: bool,
}

/// Who pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Its id.
    pub id: Uuid,
    /// What people set.
    pub fields: Fields,
    /// Since when it is known.
    pub created_at: DateTime<Utc>,
}

/// Adds one. [`crate::Error::Conflict`] `customers_lago_external_id_key` if another has that id in Lago,
/// `customers_country_check` on a country that cannot be.
pub async fn create(db: &mut PgConnection, fields: &Fields, now: DateTime<Utc>) -> Result<Uuid> {
    let id = ids::new_id(now);
    sqlx::query!(
        "insert into customers (id, name, email, address, country, tax_id, lago_external_id, active, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id,
        fields.name,
        fields.email,
        fields.address,
        fields.country,
        fields.tax_id,
        fields.lago_external_id,
        fields.active,
        now
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// Changes one; false if there is none of this id. Conflicts as in [`create`].
pub async fn update(db: &mut PgConnection, id: Uuid, fields: &Fields) -> Result<bool> {
    let done = sqlx::query!(
        "update customers set name = $2, email = $3, address = $4, country = $5, tax_id = $6, lago_external_id = $7,
           active = $8
         where id = $1",
        id,
        fields.name,
        fields.email,
        fields.address,
        fields.country,
        fields.tax_id,
        fields.lago_external_id,
        fields.active
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The customers after `after` (name and id of the last one seen), by name, at most `limit`; with `text`, those whose
/// name, address of mail or id in Lago holds it.
pub async fn list(
    db: &mut PgConnection,
    text: Option<&str>,
    after: Option<(&str, Uuid)>,
    limit: i64,
) -> Result<Vec<Customer>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, name, email, address, country, tax_id, lago_external_id, active, created_at from customers
         where ($1::text is null or position(lower($1) in lower(name)) > 0 or position(lower($1) in lower(email)) > 0
                or position(lower($1) in lower(lago_external_id)) > 0)
           and ($2::text is null or (lower(name), id) > (lower($2), $3))
         order by lower(name), id limit $4",
        text,
        after.map(|(name, _)| name),
        after.map(|(_, id)| id),
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Customer::from).collect())
}

/// The customer of this id.
pub async fn get(db: &mut PgConnection, id: Uuid) -> Result<Option<Customer>> {
    let row = sqlx::query_as!(
        Row,
        "select id, name, email, address, country, tax_id, lago_external_id, active, created_at
         from customers where id = $1",
        id
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(Customer::from))
}

/// The customer with this id, with this id in Lago, or with this name (whatever the case) if only one has it.
pub async fn find(db: &mut PgConnection, text: &str) -> Result<Option<Customer>> {
    let mut rows = sqlx::query_as!(
        Row,
        "select id, name, email, address, country, tax_id, lago_external_id, active, created_at from customers
         where id::text = lower($1) or lago_external_id = $1 or lower(name) = lower($1)
         order by id::text = lower($1) desc, lago_external_id = $1 desc nulls last limit 2",
        text
    )
    .fetch_all(db)
    .await?;
    let is_key = |row: &Row| {
        row.id.to_string() == text.to_lowercase() || row.lago_external_id.as_deref() == Some(text)
    };
    if rows.len() > 1 && !rows.first().is_some_and(is_key) {
        return Ok(None);
    }
    Ok((!rows.is_empty()).then(|| rows.remove(0).into()))
}

/// One customer as the database has it.
struct Row {
    id: Uuid,
    name: String,
    email: String,
    address: String,
    country: String,
    tax_id: String,
    lago_external_id: Option<String>,
    active: bool,
    created_at: DateTime<Utc>,
}

impl From<Row> for Customer {
    fn from(row: Row) -> Self {
        Customer {
            id: row.id,
            fields: Fields {
                name: row.name,
                email: row.email,
                address: row.address,
                country: row.country,
                tax_id: row.tax_id,
                lago_external_id: row.lago_external_id,
                active: row.active,
            },
            created_at: row.created_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Room, Scope, testing::database};

    fn named(name: &str, lago: Option<&str>) -> Fields {
        Fields {
            name: name.to_owned(),
            email: "ap@fleet.example".to_owned(),
            address: "Hafenstraße 1".to_owned(),
            country: "DE".to_owned(),
            tax_id: String::new(),
            lago_external_id: lago.map(str::to_owned),
            active: true,
        }
    }

    #[tokio::test]
    async fn a_customer_is_set_changed_and_found_by_the_portal() {
        let db = database().await;
        let pool = db.pool(Room::Portal);
        let mut db = Scope::All.begin(&pool).await.unwrap();
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let id = create(&mut db, &named("Müller Logistik", Some("c-1")), now)
            .await
            .unwrap();
        let found = find(&mut db, "müller LOGISTIK").await.unwrap().unwrap();
        assert_eq!(
            (found.id, found.fields),
            (id, named("Müller Logistik", Some("c-1")))
        );
        assert_eq!(find(&mut db, "c-1").await.unwrap().unwrap().id, id);
        assert!(
            update(&mut db, id, &named("Müller AG", None))
                .await
                .unwrap()
        );
        assert_eq!(
            get(&mut db, id).await.unwrap().unwrap().fields,
            named("Müller AG", None)
        );
        assert_eq!(find(&mut db, "c-1").await.unwrap(), None);
        assert!(
            !update(&mut db, Uuid::nil(), &named("X", None))
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn a_name_that_two_have_finds_neither_and_an_id_in_lago_is_ones_own() {
        let db = database().await;
        let mut db = db.pool.acquire().await.unwrap();
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let first = create(&mut db, &named("Twin", Some("Twin")), now)
            .await
            .unwrap();
        let second = create(&mut db, &named("twin", None), now).await.unwrap();
        assert_eq!(find(&mut db, "TWIN").await.unwrap(), None);
        assert_eq!(find(&mut db, "Twin").await.unwrap().unwrap().id, first);
        let by_id = find(&mut db, &second.to_string()).await.unwrap().unwrap();
        assert_eq!(by_id.id, second);
        let error = create(&mut db, &named("Third", Some("Twin")), now)
            .await
            .unwrap_err();
        assert!(
            error.is_conflict("customers_lago_external_id_key"),
            "{error}"
        );
        let error = create(
            &mut db,
            &Fields {
                country: "germany".to_owned(),
                ..named("Third", None)
            },
            now,
        )
        .await
        .unwrap_err();
        assert!(error.is_conflict("customers_country_check"), "{error}");
    }

    #[tokio::test]
    async fn a_list_goes_on_where_it_stopped() {
        let db = database().await;
        let mut db = db.pool.acquire().await.unwrap();
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        for name in ["beta", "Alpha", "beta", "Gamma"] {
            create(&mut db, &named(name, None), now).await.unwrap();
        }
        let first = list(&mut db, None, None, 2).await.unwrap();
        let last = first.last().unwrap();
        let rest = list(&mut db, None, Some((&last.fields.name, last.id)), 9)
            .await
            .unwrap();
        let names: Vec<&str> = first
            .iter()
            .chain(&rest)
            .map(|customer| customer.fields.name.as_str())
            .collect();
        assert_eq!(names, ["Alpha", "beta", "beta", "Gamma"]);
        let found = list(&mut db, Some("AMM"), None, 9).await.unwrap();
        assert_eq!((found.len(), found[0].fields.name.as_str()), (1, "Gamma"));
    }
}
