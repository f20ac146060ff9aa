//! `forecourt billing sync`: one run of the sync with Lago, by hand.

use anyhow::{Context, bail};
use billing::lago::{Sync, Turn, run::Wanted};
use service::{clock::Clock, config::Config, shutdown::Shutdown};
use store::{
    Room,
    lago::runs::{self, Cause},
};

use crate::{cli, database::Database};

/// Connections: one has the turn, the others ask.
const POOL: u32 = 3;

/// Makes a run, tells what it did, and fails if the run failed.
pub async fn run(config: &Config, asked: &cli::Sync) -> anyhow::Result<()> {
    let database = Database::attach(config)?;
    database.expect_migrated().await?;
    let shutdown = Shutdown::new();
    shutdown.on_signals()?;
    let sync = Sync::new(
        &config.lago,
        database.pool(Room::Billing, POOL)?,
        Clock::system(),
        shutdown.soft().clone(),
    )?;
    if let Some(replay) = asked.replay {
        let mut db = sync.pool.acquire().await?;
        runs::get(&mut db, replay)
            .await?
            .with_context(|| format!("--replay {replay}: expected the number of a run"))?;
    }
    let wanted = Wanted {
        run: asked.replay.is_none().then_some(Cause::Request),
        replay: asked.replay,
        whole: asked.whole,
    };
    let Turn::Ran(runs) = sync.turn(wanted).await? else {
        bail!("another process syncs right now; its run does the same");
    };
    let mut failed = false;
    for (run, tally) in runs {
        println!(
            "Run {run}: {} sessions, {} events made, {} sent, {} known already, {} refused",
            tally.sessions, tally.created, tally.sent, tally.duplicates, tally.rejected
        );
        if tally.unmapped > 0 {
            println!(
                "  {} open sessions are on no account of Lago",
                tally.unmapped
            );
        }
        for error in &tally.errors {
            println!("  {error}");
        }
        failed |= !tally.errors.is_empty();
    }
    if config.lago.api.is_none() {
        println!("LAGO_API_URL is not set: events wait in the outbox.");
    }
    if failed {
        bail!("the run failed; what was not sent waits for the next one");
    }
    Ok(())
}
