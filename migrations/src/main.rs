//! Applies the migrations to DATABASE_URL: for `scripts/sqlx`, which needs the schema before `store` can be compiled.
//! Operators use `forecourt migrate`.

use sqlx::{Connection, PgConnection};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL").map_err(|_| "DATABASE_URL is not set")?;
    let mut connection = PgConnection::connect(&url).await?;
    migrations::run(&mut connection).await?;
    Ok(())
}
