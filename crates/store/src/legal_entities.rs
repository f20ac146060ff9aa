//! Legal entities: who sells the energy, and how its invoices are reckoned and printed. What it issued is in `invoices`.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Currency, Error, Result, Rounding, ids};

/// From which sum tax is reckoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TaxPer {
    /// Each line is taxed and rounded by itself.
    #[default]
    Line,
    /// The net of each rate is summed first, then taxed and rounded once.
    Rate,
}

impl TaxPer {
    /// As stored in `legal_entities.tax_per`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Rate => "rate",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Line, Self::Rate]
            .into_iter()
            .find(|per| per.as_str() == text)
    }
}

/// What people set of a legal entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// Unique, whatever the case.
    pub name: String,
    /// Lines of the postal address, as printed.
    pub address: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// VAT number or the like; may be empty.
    pub tax_id: String,
    /// Printed on invoices; may be empty.
    pub email: String,
    /// Of its invoices.
    pub currency: Currency,
    /// How an invoice line is rounded.
    pub rounding: Rounding,
    /// From which sum tax is reckoned.
    pub tax_per: TaxPer,
    /// Days from issue to due, 0 to 365.
    pub payment_days: i32,
    /// What is printed as "pay to"; may be empty.
    pub payment_details: String,
}

/// Who sells the energy and sends the invoices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalEntity {
    /// Its id.
    pub id: Uuid,
    /// What people set.
    pub fields: Fields,
    /// Whether invoices show a logo; see [`logo`].
    pub has_logo: bool,
}

/// Adds one. [`Error::Conflict`] `legal_entities_name_key` if the name is taken, `legal_entities_country_check` and
/// `legal_entities_payment_days_check` on values that cannot be.
pub async fn create(db: &mut PgConnection, fields: &Fields, now: DateTime<Utc>) -> Result<Uuid> {
    let id = ids::new_id(now);
    sqlx::query!(
        "insert into legal_entities
           (id, name, address, country, tax_id, email, currency, rounding, tax_per, payment_days, payment_details, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        id,
        fields.name,
        fields.address,
        fields.country,
        fields.tax_id,
        fields.email,
        fields.currency.code(),
        fields.rounding.as_str(),
        fields.tax_per.as_str(),
        fields.payment_days,
        fields.payment_details,
        now
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// Changes one, for the invoices to come; false if there is none of this id. Conflicts as in [`create`].
pub async fn update(db: &mut PgConnection, id: Uuid, fields: &Fields) -> Result<bool> {
    let done = sqlx::query!(
        "update legal_entities set name = $2, address = $3, country = $4, tax_id = $5, email = $6, currency = $7,
           rounding = $8, tax_per = $9, payment_days = $10, payment_details = $11
         where id = $1",
        id,
        fields.name,
        fields.address,
        fields.country,
        fields.tax_id,
        fields.email,
        fields.currency.code(),
        fields.rounding.as_str(),
        fields.tax_per.as_str(),
        fields.payment_days,
        fields.payment_details
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Sets or takes away the logo, a PNG; false if there is no entity of this id.
pub async fn set_logo(db: &mut PgConnection, id: Uuid, png: Option<&[u8]>) -> Result<bool> {
    let done = sqlx::query!("update legal_entities set logo = $2 where id = $1", id, png)
        .execute(db)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// The logo, a PNG.
pub async fn logo(db: &mut PgConnection, id: Uuid) -> Result<Option<Vec<u8>>> {
    Ok(
        sqlx::query_scalar!("select logo from legal_entities where id = $1", id)
            .fetch_optional(db)
            .await?
            .flatten(),
    )
}

/// How an entity issues its documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuing {
    /// In which its months and days begin; a site's times are shown in the site's.
    pub time_zone: Tz,
    /// What its numbers begin with: one to eight capital letters and digits; unique.
    pub prefix: String,
    /// Whether the statements of a month are issued by themselves when it is over.
    pub monthly: bool,
}

/// How an entity issues.
pub async fn issuing(db: &mut PgConnection, id: Uuid) -> Result<Option<Issuing>> {
    sqlx::query!(
        "select time_zone, number_prefix, issues_monthly from legal_entities where id = $1",
        id
    )
    .fetch_optional(db)
    .await?
    .map(|row| {
        Ok(Issuing {
            time_zone: row.time_zone.parse().map_err(|_| Error::Corrupt {
                table: "legal_entities",
                column: "time_zone",
                row: id.to_string(),
                value: row.time_zone.clone(),
            })?,
            prefix: row.number_prefix,
            monthly: row.issues_monthly,
        })
    })
    .transpose()
}

/// Sets how an entity issues. The prefix stays once a document has been issued; false then, if it would change, and if
/// there is no entity of this id. [`Error::Conflict`] `legal_entities_number_prefix_key` if another has the prefix,
/// `legal_entities_number_prefix_check` on one that cannot be.
pub async fn set_issuing(db: &mut PgConnection, id: Uuid, issuing: &Issuing) -> Result<bool> {
    let done = sqlx::query!(
        "update legal_entities set time_zone = $2, number_prefix = $3, issues_monthly = $4
         where id = $1 and (number_prefix = $3 or not exists (select from invoices where legal_entity_id = $1))",
        id,
        issuing.time_zone.name(),
        issuing.prefix,
        issuing.monthly
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Every legal entity, by name.
pub async fn list(db: &mut PgConnection) -> Result<Vec<LegalEntity>> {
    sqlx::query_as!(
        Row,
        r#"select id, name, address, country, tax_id, email, currency, rounding, tax_per, payment_days, payment_details,
                  logo is not null as "has_logo!"
           from legal_entities order by lower(name)"#
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(LegalEntity::try_from)
    .collect()
}

/// The entity of this id.
pub async fn get(db: &mut PgConnection, id: Uuid) -> Result<Option<LegalEntity>> {
    find(db, &id.to_string()).await
}

/// The entity with this name, whatever the case, or with this id.
pub async fn find(db: &mut PgConnection, name_or_id: &str) -> Result<Option<LegalEntity>> {
    sqlx::query_as!(
        Row,
        r#"select id, name, address, country, tax_id, email, currency, rounding, tax_per, payment_days, payment_details,
                  logo is not null as "has_logo!"
           from legal_entities where lower(name) = lower($1) or id::text = lower($1)"#,
        name_or_id
    )
    .fetch_optional(db)
    .await?
    .map(LegalEntity::try_from)
    .transpose()
}

/// Who sells at the site.
pub async fn of_site(db: &mut PgConnection, site_id: Uuid) -> Result<Option<Uuid>> {
    Ok(
        sqlx::query_scalar!("select legal_entity_id from sites where id = $1", site_id)
            .fetch_optional(db)
            .await?
            .flatten(),
    )
}

/// Who sells at the site of a session.
pub async fn of_session(db: &mut PgConnection, session: Uuid) -> Result<Option<Uuid>> {
    Ok(sqlx::query_scalar!(
        "select t.legal_entity_id from charging_sessions s join sites t on t.id = s.site_id where s.id = $1",
        session
    )
    .fetch_optional(db)
    .await?
    .flatten())
}

/// Says who sells at the site from now on (`None`: nobody invoices there); false if there is no such site.
/// [`Error::Conflict`] `sites_legal_entity_id_fkey` if there is no such entity.
pub async fn sell_at(db: &mut PgConnection, site_id: Uuid, entity: Option<Uuid>) -> Result<bool> {
    let done = sqlx::query!(
        "update sites set legal_entity_id = $2 where id = $1",
        site_id,
        entity
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// One entity as the database has it.
struct Row {
    id: Uuid,
    name: String,
    address: String,
    country: String,
    tax_id: String,
    email: String,
    currency: String,
    rounding: String,
    tax_per: String,
    payment_days: i32,
    payment_details: String,
    has_logo: bool,
}

impl TryFrom<Row> for LegalEntity {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let corrupt = |column, value: &str| Error::Corrupt {
            table: "legal_entities",
            column,
            row: row.id.to_string(),
            value: value.to_owned(),
        };
        Ok(LegalEntity {
            id: row.id,
            fields: Fields {
                currency: row
                    .currency
                    .parse()
                    .map_err(|_| corrupt("currency", &row.currency))?,
                rounding: Rounding::parse(&row.rounding)
                    .ok_or_else(|| corrupt("rounding", &row.rounding))?,
                tax_per: TaxPer::parse(&row.tax_per)
                    .ok_or_else(|| corrupt("tax_per", &row.tax_per))?,
                name: row.name,
                address: row.address,
                country: row.country,
                tax_id: row.tax_id,
                email: row.email,
                payment_days: row.payment_days,
                payment_details: row.payment_details,
            },
            has_logo: row.has_logo,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Room, Scope, sites, testing::database};

    fn harbour() -> Fields {
        Fields {
            name: "Harbour Charging GmbH".to_owned(),
            address: "Kai 7\n20457 Hamburg".to_owned(),
            country: "DE".to_owned(),
            tax_id: "DE123456789".to_owned(),
            email: "billing@harbour.example".to_owned(),
            currency: "EUR".parse().unwrap(),
            rounding: Rounding::HalfEven,
            tax_per: TaxPer::Rate,
            payment_days: 14,
            payment_details: "IBAN DE02 1203 0000 0000 2020 51".to_owned(),
        }
    }

    #[tokio::test]
    async fn an_entity_is_set_changed_and_found_by_the_portal() {
        let db = database().await;
        let pool = db.pool(Room::Portal);
        let mut db = Scope::All.begin(&pool).await.unwrap();
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let id = create(&mut db, &harbour(), now).await.unwrap();
        let found = find(&mut db, "HARBOUR charging gmbh").await.unwrap();
        let expected = LegalEntity {
            id,
            fields: harbour(),
            has_logo: false,
        };
        assert_eq!(found, Some(expected.clone()));
        assert_eq!(list(&mut db).await.unwrap(), [expected]);

        let changed = Fields {
            name: "Harbour Charging SE".to_owned(),
            rounding: Rounding::HalfUp,
            ..harbour()
        };
        assert!(update(&mut db, id, &changed).await.unwrap());
        assert!(set_logo(&mut db, id, Some(b"png")).await.unwrap());
        let found = get(&mut db, id).await.unwrap().unwrap();
        assert_eq!((found.fields, found.has_logo), (changed, true));
        assert_eq!(logo(&mut db, id).await.unwrap(), Some(b"png".to_vec()));
        assert!(!update(&mut db, Uuid::nil(), &harbour()).await.unwrap());

        let issuing = Issuing {
            time_zone: chrono_tz::Europe::Berlin,
            prefix: "HC".to_owned(),
            monthly: false,
        };
        assert!(set_issuing(&mut db, id, &issuing).await.unwrap());
        assert_eq!(super::issuing(&mut db, id).await.unwrap(), Some(issuing));
    }

    #[tokio::test]
    async fn what_cannot_be_is_refused_by_name() {
        let db = database().await;
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let mut connection = db.pool.acquire().await.unwrap();
        create(&mut connection, &harbour(), now).await.unwrap();
        let wrong = [
            (
                Fields {
                    name: "harbour CHARGING GmbH".to_owned(),
                    ..harbour()
                },
                "legal_entities_name_key",
            ),
            (
                Fields {
                    name: "Other".to_owned(),
                    country: "Germany".to_owned(),
                    ..harbour()
                },
                "legal_entities_country_check",
            ),
            (
                Fields {
                    name: "Other".to_owned(),
                    payment_days: 366,
                    ..harbour()
                },
                "legal_entities_payment_days_check",
            ),
        ];
        for (fields, constraint) in wrong {
            let error = create(&mut connection, &fields, now).await.unwrap_err();
            assert!(error.is_conflict(constraint), "{constraint}: {error}");
        }
    }

    #[tokio::test]
    async fn a_site_has_a_seller_or_none() {
        let db = database().await;
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let mut db = db.pool.acquire().await.unwrap();
        let site = sites::add(&mut db, "Harbour", chrono_tz::UTC, now)
            .await
            .unwrap();
        assert_eq!(of_site(&mut db, site).await.unwrap(), None);
        let error = sell_at(&mut db, site, Some(Uuid::nil())).await.unwrap_err();
        assert!(error.is_conflict("sites_legal_entity_id_fkey"), "{error}");
        let id = create(&mut db, &harbour(), now).await.unwrap();
        assert!(sell_at(&mut db, site, Some(id)).await.unwrap());
        assert_eq!(of_site(&mut db, site).await.unwrap(), Some(id));
        assert!(sell_at(&mut db, site, None).await.unwrap());
        assert_eq!(of_site(&mut db, site).await.unwrap(), None);
    }
}
