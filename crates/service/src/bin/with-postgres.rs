//! `with-postgres [--data DIR] -- CMD…`: runs CMD with DATABASE_URL naming a private Postgres, and ends with its
//! exit code. The cluster is a throwaway one, unless `--data` names a folder to keep it in.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use service::postgres::{Cluster, ClusterOptions};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1).peekable();
    let mut kept = None;
    while let Some(argument) = arguments.next_if(|argument| argument.starts_with("--")) {
        match argument.as_str() {
            "--" => break,
            "--data" => {
                kept = Some(PathBuf::from(
                    arguments.next().context("--data expects a folder")?,
                ))
            }
            other => bail!("unknown option {other}; usage: with-postgres [--data DIR] -- CMD…"),
        }
    }
    let program = arguments
        .next()
        .context("usage: with-postgres [--data DIR] -- CMD…")?;

    let folder = match &kept {
        Some(folder) => folder.clone(),
        None => std::env::temp_dir().join(format!("with-postgres-{}", std::process::id())),
    };
    let options = match kept {
        Some(_) => ClusterOptions::new(&folder),
        None => ClusterOptions::throwaway(&folder),
    };
    // Ctrl-C goes to CMD as well; when CMD has ended, this program cleans up instead of dying first.
    let _interrupts = signal(SignalKind::interrupt())?;
    let cluster = Cluster::start(&options).await?;
    let status = tokio::process::Command::new(&program)
        .args(arguments)
        .env("DATABASE_URL", cluster.url("postgres", None))
        .status()
        .await;
    cluster.stop().await;
    if kept.is_none() {
        std::fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let status = status.with_context(|| format!("cannot run {program}"))?;
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    ))
}
