//! The `forecourt` binary: reads the command line and the settings, and runs what was asked for. It has no logic of its
//! own; the rooms have.

mod billing;
mod certs;
mod cli;
mod commands;
mod database;
mod demo;
mod holds;
mod invoicing;
mod sync;
mod up;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use service::clock::Clock;
use service::config::{Config, Env};

use cli::{Cli, Command};

/// A message is some forty small allocations; glibc's allocator took a seventh of the server's time for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes; one that said its cause's words itself is not followed by them again.
fn with_causes(error: &anyhow::Error) -> String {
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.ends_with(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    read_dot_env()?;
    let config = Config::from_env(Env::of_process())?;
    service::logging::init(&config.log)
        .with_context(|| format!("LOG={} cannot be used", config.log.filter))?;
    match cli.command.unwrap_or(Command::Up) {
        Command::Up => up::everything(config).await,
        Command::Csms => up::one_room(config, up::Rooms::CSMS).await,
        Command::Portal => up::one_room(config, up::Rooms::PORTAL).await,
        Command::Billing { by_hand: None } => up::one_room(config, up::Rooms::BILLING).await,
        Command::Billing {
            by_hand: Some(command),
        } => crate::billing::run(&config, &command).await,
        Command::Demo { yes } => demo::run(config, yes).await,
        Command::Migrate => commands::migrate(&config).await,
        Command::Station(cli::Station::Add(station)) => {
            commands::add_station(&config, &station).await
        }
        Command::Tag(cli::Tag::Add(tag)) => commands::add_tag(&config, &tag).await,
        Command::Site(cli::Site::Add(site)) => commands::add_site(&config, &site).await,
        Command::User(cli::User::Create(user)) => commands::create_user(&config, &user).await,
        Command::Certs(asked) => {
            crate::certs::run(&asked, &config.database.data, Clock::system().now())
        }
        Command::ApiKey(cli::ApiKey::Create(key)) => commands::create_key(&config, &key).await,
    }
}

/// Variables of `.env` in the working folder; those of the environment win.
fn read_dot_env() -> anyhow::Result<()> {
    match dotenvy::dotenv() {
        Err(error) if !error.not_found() => {
            Err(error).context(".env cannot be used; it holds lines of NAME=value")
        }
        _ => Ok(()),
    }
}
