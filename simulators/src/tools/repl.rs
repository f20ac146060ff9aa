//! `evsim repl`: a station driven by lines, of a person or of a pipe.

use std::{
    io::BufRead,
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, time::timeout};

use super::{FORMS, Shown, Verb};
use crate::{
    Options, Station, StationEvent,
    fault::duration,
    run::{Log, Logger},
};

/// Patience of a `wait` that says nothing else.
const PATIENCE: Duration = Duration::from_secs(30);

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every line was done.
    Well,
    /// A line was wrong, or what it waited for did not come.
    Badly,
    /// The station was never let in.
    NotLetIn,
}

/// What a line asks for.
#[derive(Debug, PartialEq)]
enum Line {
    Nothing,
    Do(Verb),
    Status,
    Help,
    Quit,
    Sleep(Duration),
    Wait(Wanted, Duration),
}

/// What is waited for.
#[derive(Debug, PartialEq)]
enum Wanted {
    Boot,
    Start,
    Stop,
    Status(u32, String),
}

fn read(line: &str) -> Result<Line, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    Ok(match words[..] {
        [] => Line::Nothing,
        [first, ..] if first.starts_with('#') => Line::Nothing,
        ["status"] => Line::Status,
        ["help"] => Line::Help,
        ["quit" | "exit"] => Line::Quit,
        ["sleep", time] => Line::Sleep(duration(time)?),
        ["wait", ref what @ ..] => {
            let (what, limit) = match what {
                [what @ .., last]
                    if last.starts_with(|c: char| c.is_ascii_digit()) && duration(last).is_ok() =>
                {
                    (what, duration(last)?)
                }
                what => (what, PATIENCE),
            };
            Line::Wait(wanted(what)?, limit)
        }
        _ => Line::Do(line.parse()?),
    })
}

fn wanted(words: &[&str]) -> Result<Wanted, String> {
    match words {
        ["boot"] => Ok(Wanted::Boot),
        ["start"] => Ok(Wanted::Start),
        ["stop"] => Ok(Wanted::Stop),
        ["status", connector, status] => {
            let connector = connector.parse().map_err(|_| "wait status: expected a connector".to_owned())?;
            Ok(Wanted::Status(connector, (*status).to_owned()))
        }
        _ => Err("wait: expected boot, start, stop, or status CONNECTOR STATUS, and perhaps a time such as 10s".to_owned()),
    }
}

/// Drives a station by the lines of a reader, to its end.
pub async fn repl(
    options: Options,
    input: impl BufRead + Send + 'static,
    log: Log,
) -> anyhow::Result<Ended> {
    let station = Station::spawn(options)?;
    let mut session = Repl {
        station,
        log: Logger::new(log),
        shown: Shown::default(),
        waited: (0, 0),
    };
    if !session.await_it(&Wanted::Boot, PATIENCE).await {
        let why = session
            .shown
            .problem
            .unwrap_or_else(|| "no answer to BootNotification".to_owned());
        eprintln!("evsim: {why}");
        return Ok(Ended::NotLetIn);
    }
    let mut lines = reader(input);
    let mut ended = Ended::Well;
    loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            event = session.station.next_event() => {
                session.hear(event);
                continue;
            }
        };
        let Some(line) = line else { break };
        match read(&line) {
            Ok(Line::Quit) => break,
            Ok(line) => {
                if !session.obey(line).await {
                    ended = Ended::Badly;
                }
            }
            Err(problem) => {
                println!("error: {problem}");
                ended = Ended::Badly;
            }
        }
    }
    session.station.shutdown().await;
    Ok(ended)
}

/// Lines as they come; a thread of their own, for reading blocks.
fn reader(input: impl BufRead + Send + 'static) -> mpsc::UnboundedReceiver<String> {
    let (tell, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in input.lines() {
            let Ok(line) = line else { return };
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

struct Repl {
    station: Station,
    log: Logger,
    shown: Shown,
    /// Starts and stops that were waited for already.
    waited: (u64, u64),
}

impl Repl {
    fn hear(&mut self, event: Option<StationEvent>) {
        if let Some(event) = event {
            self.shown.hear(&event);
            if let Some(line) = self.log.event(&event) {
                println!("{line}");
            }
        }
    }

    /// Does what a line asks for; false if it did not come to pass.
    async fn obey(&mut self, line: Line) -> bool {
        match line {
            Line::Nothing | Line::Quit => {}
            Line::Do(verb) => {
                verb.perform(&self.station.controls());
                println!("ok");
            }
            Line::Status => println!("{}", self.shown.json()),
            Line::Help => help(),
            Line::Sleep(time) => {
                self.listen_until(Instant::now() + time, |_| false).await;
            }
            Line::Wait(wanted, limit) => {
                let came = self.await_it(&wanted, limit).await;
                match came {
                    true => println!("ok"),
                    false => println!("error: {wanted:?} did not come within {limit:?}"),
                }
                return came;
            }
        }
        true
    }

    async fn await_it(&mut self, wanted: &Wanted, limit: Duration) -> bool {
        let (starts, stops) = self.waited;
        let holds = |shown: &Shown| match wanted {
            Wanted::Boot => shown.boot == Some("Accepted"),
            Wanted::Start => shown.starts > starts,
            Wanted::Stop => shown.stops > stops,
            Wanted::Status(connector, status) => {
                shown.connectors.get(connector) == Some(&status.as_str())
            }
        };
        let came = self.listen_until(Instant::now() + limit, holds).await;
        match wanted {
            Wanted::Start if came => self.waited.0 += 1,
            Wanted::Stop if came => self.waited.1 += 1,
            _ => {}
        }
        came
    }

    /// Listens until something holds, or until a time.
    async fn listen_until(&mut self, end: Instant, holds: impl Fn(&Shown) -> bool) -> bool {
        while !holds(&self.shown) {
            let left = end.saturating_duration_since(Instant::now());
            match timeout(left, self.station.next_event()).await {
                Ok(Some(event)) => self.hear(Some(event)),
                Ok(None) | Err(_) => return false,
            }
        }
        true
    }
}

fn help() {
    for form in FORMS {
        println!(
            "{:<8} {:<24} {}",
            form.name,
            form.fields.join(" "),
            form.about
        );
    }
    println!("status   {:<24} what is known of the station, as JSON", "");
    println!(
        "wait     {:<24} boot, start, stop, or status CONNECTOR STATUS; perhaps a time",
        "what"
    );
    println!("sleep    {:<24} such as 10s", "time");
    println!("quit");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        for (line, expected) in [
            ("", Line::Nothing),
            ("# a remark", Line::Nothing),
            ("offline", Line::Do(Verb::Offline)),
            ("wait start", Line::Wait(Wanted::Start, PATIENCE)),
            (
                "wait stop 90s",
                Line::Wait(Wanted::Stop, Duration::from_secs(90)),
            ),
            (
                "wait status 1 Charging 2s",
                Line::Wait(
                    Wanted::Status(1, "Charging".to_owned()),
                    Duration::from_secs(2),
                ),
            ),
            ("sleep 100ms", Line::Sleep(Duration::from_millis(100))),
        ] {
            assert_eq!(read(line), Ok(expected), "{line}");
        }
        for line in ["wait", "wait status 1", "sleep soon", "dance"] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
