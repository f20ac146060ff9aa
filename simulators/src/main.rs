//! The command line of the simulators: `evsim run`, `repl`, `serve`, `swarm`, `test`, `analyze`, `replay`, `floor`, `lago`.
//! Exit codes: 0 done, 1 something did not go as it must, 2 no connection or no set-up, 3 wrong arguments.

mod cases;
mod security;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use evse_core::Utc;
use security::SecurityArgs;
use simulators::{
    Options, Speed, Supply,
    fault::{Fault, duration},
    floor,
    physics::{self, VEHICLES, Vehicle},
    quirks,
    run::{self, Log, Outcome, Plan},
    swarm::{self, NameFormat, Workload},
    tools::{StationArgs, analyze, repl, replay, serve},
    wire::{self, TlsFiles},
};

const FAILED: u8 = 1;
const NO_SETUP: u8 = 2;
const BAD_ARGUMENTS: u8 = 3;

/// Simulated OCPP 1.6J charge points: one that charges as a real one does, or thousands as a load.
#[derive(Parser)]
#[command(name = "evsim", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples (a server at its default address):
  evsim run   --url ws://127.0.0.1:9000/ocpp --id CP001
  evsim run   --url ws://127.0.0.1:9000/ocpp --id CP001 --password s3cret --vehicle leaf --speed 60
  evsim run   --url ws://127.0.0.1:9000/ocpp --id CP001 --sessions 2 --speed max --trace out.jsonl
  evsim run   --url ws://127.0.0.1:9000/ocpp --id CP001 --fault drop=0.01,delay=200ms,duplicate=0.05
  evsim run   --url ws://127.0.0.1:9000/ocpp --id CP001 --quirks comma-decimals,repeated-start
  evsim repl  --url ws://127.0.0.1:9000/ocpp --id CP001
  evsim serve --url ws://127.0.0.1:9000/ocpp --id CP001
  evsim analyze out.jsonl --split-by connector
  evsim replay out.jsonl --url ws://127.0.0.1:9000/ocpp --id CP002
  evsim swarm --url ws://127.0.0.1:9000/ocpp --count 1000 --workload session --duration 10s
  evsim test  simulators/scenarios/16/core/*.toml --url ws://127.0.0.1:9000/ocpp --api http://127.0.0.1:8080 --key KEY
  evsim floor --listen 127.0.0.1:9010
  evsim floor --cert server.pem --key server.key
  evsim lago  --listen 127.0.0.1:3000

Exit codes: 0 done, 1 something did not go as it must, 2 no connection or no set-up, 3 wrong arguments.";

#[derive(Subcommand)]
enum Command {
    /// One station: boots, charges vehicle after vehicle, reconnects, answers the server's requests.
    Run(Box<RunArgs>),
    /// One station driven by lines, of a person or of a pipe.
    Repl(ReplArgs),
    /// One station driven by HTTP on this machine, its events as a stream.
    Serve(ServeArgs),
    /// What a trace holds: counts, latencies and errors by action.
    Analyze(analyze::Args),
    /// Says again what a station said in a trace, and compares the answers.
    Replay(replay::Args),
    /// Many stations as a load; prints one JSON line per workload.
    Swarm(Box<SwarmArgs>),
    /// Lists the quirks that --quirks knows: name, row of docs/ocpp-quirks.md, what it does.
    Quirks,
    /// Scenario files against a server: what it must do, on the wire and in its rows.
    Test(cases::TestArgs),
    /// Reads scenario files and says what is wrong with them.
    Check(cases::CheckArgs),
    /// Prints the JSON Schema of scenario files.
    Schema,
    /// A bare server that only answers: the floor that a real server is measured against.
    Floor(FloorArgs),
    /// A stand-in for Lago: takes usage events, and fails as it is told to.
    Lago(LagoArgs),
}

#[derive(Args)]
#[command(after_help = "Examples:
  evsim run --url ws://127.0.0.1:9000/ocpp --id CP001
  evsim run --url ws://127.0.0.1:9000/ocpp --id CP001 --sessions 1 --speed max --sample-interval 60s
  evsim run --url ws://127.0.0.1:9000/ocpp --id DC01 --connectors 1 --dc-kw 150 --vehicle ioniq5 --speed 30")]
struct RunArgs {
    /// The server's OCPP address; the station's identity is appended to it.
    #[arg(long, default_value = "ws://127.0.0.1:9000/ocpp")]
    url: String,
    /// The station's identity.
    #[arg(long)]
    id: String,
    /// How many connectors, 1 to 16.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=16))]
    connectors: u32,
    #[command(flatten)]
    security: SecurityArgs,
    /// Which vehicle comes: leaf, zoe, id3, model3, kona, ioniq5, etron or fiat500e; otherwise a different one each time.
    #[arg(long, value_parser = known_vehicle)]
    vehicle: Option<&'static Vehicle>,
    /// The tag that is held to the reader.
    #[arg(long, default_value = "04A2B91C")]
    id_tag: String,
    /// Power of an AC connector in kW.
    #[arg(long, default_value_t = 22.0)]
    ac_kw: f64,
    /// Power of a DC connector in kW, instead of AC.
    #[arg(long, conflicts_with = "ac_kw")]
    dc_kw: Option<f64>,
    /// All chance (arrivals, vehicles, faults, jitter) comes from it.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Virtual seconds per second, or max: from one thing to do to the next.
    #[arg(long, default_value = "1")]
    speed: Speed,
    /// The station's clock at its start, RFC 3339. Default: the server's time; with another --speed a day ago,
    /// so that the charge lies in the past and not in the future.
    #[arg(long, value_parser = moment)]
    start: Option<Utc>,
    /// Write every frame to this file as JSON lines.
    #[arg(long)]
    trace: Option<PathBuf>,
    /// End after so many sessions, over all connectors; otherwise go on until interrupted.
    #[arg(long)]
    sessions: Option<u64>,
    /// Time between meter values.
    #[arg(long, value_parser = duration)]
    sample_interval: Option<Duration>,
    /// Faults between station and socket; may be given several times. Also action=NAME and direction=in|out.
    #[arg(long, value_name = "drop=P,delay=T,duplicate=P,reorder=P,corrupt=P")]
    fault: Vec<Fault>,
    /// Habits of real chargers, by name: see `evsim quirks`.
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    quirks: Vec<quirks::Name>,
    /// How the log is written.
    #[arg(long, default_value = "pretty")]
    log: Log,
}

#[derive(Args)]
#[command(after_help = "Examples:
  evsim swarm --count 10000 --workload idle --server-pid $(pidof forecourt)
  evsim swarm --count 100 --workload heartbeat
  evsim swarm --count 1000 --workload session --ledger ledger.jsonl
  evsim swarm --count 10000 --workload storm --password-format 'pw-{:05}'")]
struct SwarmArgs {
    /// The server's OCPP address.
    #[arg(long, default_value = "ws://127.0.0.1:9000/ocpp")]
    url: String,
    /// How many stations.
    #[arg(long)]
    count: usize,
    /// What they do.
    #[arg(long)]
    workload: Workload,
    /// New connections per second, such as 500/s; otherwise as fast as it goes.
    #[arg(long, value_parser = rate)]
    ramp: Option<f64>,
    /// How long to measure.
    #[arg(long, default_value = "10s", value_parser = duration)]
    duration: Duration,
    /// Identities, counted from 0.
    #[arg(long, default_value = "SIM-{:05}")]
    id_format: NameFormat,
    /// Passwords for HTTP Basic authentication, with the station's number in them or not.
    #[arg(long)]
    password_format: Option<NameFormat>,
    /// The authorities whose servers are believed (PEM); for wss://.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Tags, one per station.
    #[arg(long, default_value = "TAG{:05}")]
    tag_format: NameFormat,
    /// Write every acknowledged start, stop and meter value to this file as JSON lines.
    #[arg(long)]
    ledger: Option<PathBuf>,
    /// The server's process: its memory and CPU are reported.
    #[arg(long)]
    server_pid: Option<u32>,
    /// The postmaster: the CPU of all its children is reported.
    #[arg(long)]
    pg_pid: Option<u32>,
    /// Rounds of a storm.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Connections being opened at the same time, per thread.
    #[arg(long, default_value_t = 256)]
    dialling: usize,
    /// Generator threads.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// An answer later than this is an error.
    #[arg(long, default_value = "30s", value_parser = duration)]
    call_timeout: Duration,
    /// Print the report as JSON only (it always is one JSON line; kept for scripts that say so).
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:
  evsim repl --id CP001
  printf 'plug 1 leaf 40\nswipe 1 04A2B91C\nwait start\nstatus\nunplug 1\nwait stop\n' | evsim repl --id CP001

Lines: plug, unplug, swipe, stop, fault, offline, online, crash, reboot, send, data, status, wait, sleep, help, quit.
Exit codes: 0 every line was done, 1 one was not, 2 no connection.")]
struct ReplArgs {
    #[command(flatten)]
    station: StationArgs,
    /// How frames and events are written between the answers.
    #[arg(long, default_value = "pretty")]
    log: Log,
}

#[derive(Args)]
#[command(after_help = "Examples:
  evsim serve --id CP001
  curl http://127.0.0.1:9700/v1/status
  curl -d '{\"connector\":1,\"vehicle\":\"leaf\",\"soc\":40}' http://127.0.0.1:9700/v1/plug
  curl -d '{\"connector\":1,\"idTag\":\"04A2B91C\"}' http://127.0.0.1:9700/v1/swipe
  curl -N http://127.0.0.1:9700/v1/events

GET /v1/verbs lists what can be posted. Only names of this machine are answered.")]
struct ServeArgs {
    #[command(flatten)]
    station: StationArgs,
    /// Address to listen on; only this machine's.
    #[arg(long, default_value = "127.0.0.1:9700")]
    listen: SocketAddr,
}

#[derive(Args)]
struct FloorArgs {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:9010")]
    listen: SocketAddr,
    /// Threads of the server.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Its certificate (PEM): with it, it speaks TLS as well, on the same port.
    #[arg(long, requires = "key")]
    cert: Option<PathBuf>,
    /// The key of the certificate (PEM).
    #[arg(long, requires = "cert")]
    key: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "Examples:
  evsim lago --customer acme=sub-acme --customer bolt=sub-bolt
  LAGO_API_URL=http://127.0.0.1:3000 LAGO_API_KEY=secret forecourt billing sync
  curl -d '{\"kind\":\"lost_reply\",\"times\":1}' http://127.0.0.1:3000/_stand_in/faults
  curl -d '{\"kind\":{\"too_many\":5}}' http://127.0.0.1:3000/_stand_in/faults
  curl -X DELETE http://127.0.0.1:3000/_stand_in/faults
  curl http://127.0.0.1:3000/_stand_in/stats

Faults: down, hang, broken, lost_reply, duplicate, half_bad, {slow: ms}, {too_many: s}, {unavailable: s},
{clock_skew: s}; `times` says to how many requests with events.")]
struct LagoArgs {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// The API key that it wants.
    #[arg(long, default_value = "secret")]
    key: String,
    /// A customer and its active subscription; may be given several times.
    #[arg(long, value_name = "CUSTOMER=SUBSCRIPTION", value_parser = pair)]
    customer: Vec<(String, String)>,
    /// The billable metric and the property that it sums.
    #[arg(long, value_name = "CODE=PROPERTY", value_parser = pair, default_value = "ev_charging_kwh=kwh")]
    metric: (String, String),
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((one, other)) if !one.is_empty() && !other.is_empty() => {
            Ok((one.to_owned(), other.to_owned()))
        }
        _ => Err("expected two words with = between them".to_owned()),
    }
}

fn known_vehicle(name: &str) -> Result<&'static Vehicle, String> {
    physics::vehicle(name).ok_or_else(|| {
        let names: Vec<_> = VEHICLES.iter().map(|v| v.name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn rate(text: &str) -> Result<f64, String> {
    match text.trim_end_matches("/s").parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("expected a rate such as 500/s".to_owned()),
    }
}

fn moment(text: &str) -> Result<Utc, String> {
    Utc::parse(text).ok_or_else(|| "expected a time such as 2026-05-04T08:00:00Z".to_owned())
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(problem) => {
            // Nothing is left to do if even the help cannot be printed.
            let _ = problem.print();
            return ExitCode::from(if problem.use_stderr() {
                BAD_ARGUMENTS
            } else {
                0
            });
        }
    };
    let result = match cli.command {
        Command::Run(args) => run_station(*args),
        Command::Repl(args) => run_repl(args),
        Command::Serve(args) => run_serve(args),
        Command::Analyze(args) => analyze::analyze(&args).map(|report| {
            print!("{report}");
            ExitCode::SUCCESS
        }),
        Command::Replay(args) => run_replay(&args),
        Command::Swarm(args) => run_swarm(*args),
        Command::Quirks => {
            for quirk in quirks::TABLE {
                println!("{:<32} {:>2}  {}", quirk.name, quirk.row, quirk.about);
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Test(args) => cases::test(args),
        Command::Check(args) => Ok(cases::check(&args)),
        Command::Schema => Ok(cases::schema()),
        Command::Floor(args) => run_floor(&args),
        Command::Lago(args) => run_lago(args),
    };
    result.unwrap_or_else(|problem| {
        eprintln!("evsim: {problem:#}");
        ExitCode::from(NO_SETUP)
    })
}

fn run_station(args: RunArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let a_day_ago = || Utc(simulators::clock::utc_now().0 - 86_400_000);
    let start = args
        .start
        .or_else(|| (args.speed != Speed::Times(1.0)).then(a_day_ago));
    let (supply, model) = match args.dc_kw {
        Some(max_kw) => (Supply::Dc { max_kw }, format!("Simulated DC {max_kw}")),
        None => (
            Supply::Ac { max_kw: args.ac_kw },
            format!("Simulated AC {}", args.ac_kw),
        ),
    };
    let means = args.security.means(&args.url)?;
    let options = Options {
        password: means.password,
        tls: means.tls,
        connectors: args.connectors,
        supply,
        model: model.chars().take(20).collect(),
        seed: args.seed,
        speed: args.speed,
        start,
        sample_interval: args.sample_interval,
        faults: args.fault,
        quirks: args.quirks,
        trace: args.trace,
        ..Options::new(&args.url, &args.id)
    };
    let plan = Plan {
        vehicle: args.vehicle,
        id_tag: args.id_tag,
        sessions: args.sessions,
        log: args.log,
    };
    Ok(match runtime.block_on(run::run(options, plan))? {
        Outcome::Done => ExitCode::SUCCESS,
        Outcome::Failed(why) => {
            eprintln!("evsim: {why}");
            ExitCode::from(FAILED)
        }
        Outcome::NotConnected(why) => {
            eprintln!("evsim: {why}");
            ExitCode::from(NO_SETUP)
        }
    })
}

fn single_thread() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

fn run_repl(args: ReplArgs) -> anyhow::Result<ExitCode> {
    let input = std::io::BufReader::new(std::io::stdin());
    let ended = single_thread()?.block_on(repl::repl(args.station.options(), input, args.log))?;
    Ok(match ended {
        repl::Ended::Well => ExitCode::SUCCESS,
        repl::Ended::Badly => ExitCode::from(FAILED),
        repl::Ended::NotLetIn => ExitCode::from(NO_SETUP),
    })
}

fn run_serve(args: ServeArgs) -> anyhow::Result<ExitCode> {
    single_thread()?.block_on(async {
        let listener = serve::listen(args.listen).await?;
        println!("serve: http://{}/v1/status", listener.local_addr()?);
        tokio::select! {
            served = serve::serve(listener, args.station.options()) => served?,
            signal = tokio::signal::ctrl_c() => signal.context("waiting for an interrupt")?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn run_replay(args: &replay::Args) -> anyhow::Result<ExitCode> {
    let replayed = single_thread()?.block_on(replay::replay(args))?;
    for difference in &replayed.differences {
        println!("{difference}");
    }
    println!(
        "{} messages said again, {} answered otherwise",
        replayed.calls,
        replayed.differences.len()
    );
    Ok(if replayed.differences.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

fn run_swarm(args: SwarmArgs) -> anyhow::Result<ExitCode> {
    let options = swarm::Options {
        ramp: args.ramp,
        duration: args.duration,
        ids: args.id_format,
        passwords: args.password_format,
        tls: args.ca.map(|ca| TlsFiles { ca, own: None }),
        tags: args.tag_format,
        ledger: args.ledger,
        server_pid: args.server_pid,
        pg_pid: args.pg_pid,
        rounds: args.rounds,
        dialling: args.dialling,
        threads: args.threads,
        call_timeout: args.call_timeout,
        ..swarm::Options::new(&args.url, args.count, args.workload)
    };
    let report = swarm::run(options)?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(if report.error_count() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

fn run_floor(args: &FloorArgs) -> anyhow::Result<ExitCode> {
    let runtime = match args.threads {
        0 | 1 => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?,
        threads => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()?,
    };
    runtime.block_on(async {
        let listener =
            floor::listen(args.listen).with_context(|| format!("--listen {}", args.listen))?;
        let file = |flag: &str, path: &PathBuf| {
            std::fs::read(path).with_context(|| format!("{flag} {}", path.display()))
        };
        let tls = match (&args.cert, &args.key) {
            (Some(cert), Some(key)) => {
                Some(wire::acceptor(&file("--cert", cert)?, &file("--key", key)?)?)
            }
            _ => None,
        };
        let kinds = if tls.is_some() { "ws:// and wss" } else { "ws" };
        println!("floor: {kinds}://{}/ocpp (no authentication, nothing is stored)", listener.local_addr()?);
        tokio::select! {
            result = floor::serve_both(listener, tls, floor::Bare) => result.context("accepting connections")?,
            signal = tokio::signal::ctrl_c() => signal.context("waiting for an interrupt")?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn run_lago(args: LagoArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen)
            .await
            .with_context(|| format!("--listen {}", args.listen))?;
        println!(
            "lago: http://{} (a stand-in; it bills nobody)",
            listener.local_addr()?
        );
        let (handle, server) = simulators::lago::start(listener, &args.key);
        for (customer, subscription) in &args.customer {
            handle.world().add_customer(customer, subscription);
        }
        let (code, property) = &args.metric;
        handle.world().put_metric(code, "sum_agg", Some(property));
        tokio::select! {
            ended = server => ended.context("serving")?.context("accepting connections")?,
            signal = tokio::signal::ctrl_c() => signal.context("waiting for an interrupt")?,
        }
        Ok(ExitCode::SUCCESS)
    })
}
