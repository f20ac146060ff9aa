//! The command line, as clap reads it. What the words do is in `commands` and `up`.

use clap::{Args, Parser, Subcommand};

/// A charging-station management system: chargers connect by OCPP, people by the browser, programs by the API.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = false,
    after_help = "\
Without a command it runs everything (`up`). Settings are environment variables or lines of a file `.env`; .env.example
lists them all. None is needed: the database is a private Postgres below ./data.

First steps:
  forecourt                                              run everything; leave it running
  forecourt user create --email you@example.org --role admin
  forecourt site add \"Main Street\" --tz Europe/Berlin
  forecourt station add CP001 --site \"Main Street\" --password 'a long secret'
  forecourt tag add 04A2B3C4D5E680

Then point the charger at ws://HOST:9000/ocpp/CP001 and open http://127.0.0.1:8080."
)]
pub struct Cli {
    /// What to do; without it, `up`.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run all rooms in one process (the default)
    #[command(after_help = "\
Without DATABASE_URL a private Postgres is run below FORECOURT_DATA (./data). Migrations are applied first.
Ctrl-C or SIGTERM ends in order: chargers are told to come back, what was begun is finished.")]
    Up,
    /// Run the chargers' room alone: OCPP in
    #[command(after_help = ONE_ROOM)]
    Csms,
    /// Run the people's room alone: pages and API
    #[command(after_help = ONE_ROOM)]
    Portal,
    /// Run billing alone: prices, invoices, usage to Lago, retention, rollups, mail; or do one of its works by hand
    #[command(after_help = ONE_ROOM)]
    Billing {
        /// What to do by hand; without it, run the room
        #[command(subcommand)]
        by_hand: Option<Billing>,
    },
    /// Run everything with made-up data and six simulated chargers that charge now
    #[command(after_help = "\
Adds two sites with tariffs, six stations, drivers and 60 days of sessions to an empty database, once, and prints how to sign in.
`make run` starts it with FORECOURT_DEMO=1, so that sign-in codes are printed instead of mailed.")]
    Demo {
        /// Add the demo's data to a database that has stations of its own
        #[arg(long)]
        yes: bool,
    },
    /// Bring the database's schema and roles up to date
    #[command(after_help = "\
Run it once with each new version, before the rooms. It may run while they do, and twice at once. DATABASE_URL must name
a user that may create roles; the database itself is created if it is missing.")]
    Migrate,
    /// Chargers
    #[command(subcommand)]
    Station(Station),
    /// Id tokens (RFID cards, apps): who may charge
    #[command(subcommand)]
    Tag(Tag),
    /// Places with stations
    #[command(subcommand)]
    Site(Site),
    /// People who sign in
    #[command(subcommand)]
    User(User),
    /// Keys for programs that use the API
    #[command(subcommand)]
    ApiKey(ApiKey),
    /// Certificates for TLS: an authority, and what it signs
    #[command(subcommand)]
    Certs(Certs),
}

const ONE_ROOM: &str = "\
For installations whose rooms run as processes of their own; they meet in the database. DATABASE_URL names it; run
`forecourt migrate` first. Ctrl-C or SIGTERM ends in order.";

/// What billing does by hand.
#[derive(Debug, Subcommand)]
pub enum Billing {
    /// Price sessions that have ended, or ask what they would cost
    Price(Price),
    /// Add a feed of hourly prices that tariffs can follow
    Feed(AddFeed),
    /// Import the days of a holiday calendar
    Holidays(Holidays),
    /// Issue the statements of a month, or draft them
    Issue(Issue),
    /// Prove that the books are whole: hashes, balances, numbers, totals
    #[command(after_help = "\
Reads only. It names the first thing that is wrong and ends with an error. The line `head` says where each chain stands:
keep it elsewhere, and nobody can make up another.")]
    Verify,
    /// Write the postings of the ledger as CSV, for accountants
    Export(Export),
    /// Send usage to Lago now, or what a run has sent once more
    Sync(Sync),
    /// Keep vouchers longer than the law asks for: a dispute, an audit
    #[command(subcommand)]
    Hold(Hold),
}

/// What can be done with legal holds.
#[derive(Debug, Subcommand)]
pub enum Hold {
    /// Keep vouchers until the hold is lifted, or its last day is over
    Set(SetHold),
    /// Lift a hold
    Lift(LiftHold),
    /// Show the holds there are and were
    List,
}

/// `forecourt billing hold set`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  forecourt billing hold set --reason \"tax audit 2026\" --entity \"Harbour Charging GmbH\"
  forecourt billing hold set --reason \"case 7 O 12/26\" --customer \"Quay Logistics\" --until 2029-12-31

Without --entity it is every seller's vouchers, without --customer those of every customer. It prints the hold's id.")]
pub struct SetHold {
    /// Why, for whoever finds it in ten years
    #[arg(long)]
    pub reason: String,
    /// Only this legal entity's, by name or id
    #[arg(long, value_name = "NAME")]
    pub entity: Option<String>,
    /// Only this customer's, by name or id
    #[arg(long, value_name = "NAME")]
    pub customer: Option<String>,
    /// The last day (UTC) on which it keeps anything
    #[arg(long, value_name = "DAY")]
    pub until: Option<String>,
}

/// `forecourt billing hold lift`
#[derive(Debug, Args)]
pub struct LiftHold {
    /// The hold
    pub id: uuid::Uuid,
    /// Why, for the audit log
    #[arg(long)]
    pub reason: String,
}

/// `forecourt billing feed`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  forecourt billing feed day-ahead https://prices.example.org/de.csv --currency EUR --unit MWh --tz Europe/Berlin
  forecourt billing feed supplier supplier.csv --currency EUR --unit kWh --separator ';'

A file is one below FORECOURT_DATA/feeds. The CSV has a header line and a row per hour; times carry an offset, or are those
of --tz. It is read at once, and a feed that cannot be read is not added. Servers of your own network: OUTBOUND_PRIVATE.")]
pub struct AddFeed {
    /// The name that tariffs use
    pub name: String,
    /// A URL, or a file below FORECOURT_DATA/feeds
    pub location: String,
    /// ISO 4217
    #[arg(long)]
    pub currency: String,
    /// What the prices are of
    #[arg(long, value_parser = ["kWh", "MWh"])]
    pub unit: String,
    /// The IANA zone of times without an offset
    #[arg(long = "tz", value_name = "ZONE", default_value = "UTC")]
    pub zone: String,
    /// The header of the hours
    #[arg(long, default_value = "hour")]
    pub time_column: String,
    /// The header of the prices
    #[arg(long, default_value = "price")]
    pub price_column: String,
    /// What stands between columns
    #[arg(long, default_value = ",", value_parser = [",", ";", "tab"])]
    pub separator: String,
}

/// `forecourt billing holidays`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  forecourt billing holidays DE-NI holidays.csv --site \"Main Street\"

Each line of the file is a day, and its name after a comma: 2026-12-25,Christmas Day. Days that the calendar has stay.")]
pub struct Holidays {
    /// The calendar's name
    pub calendar: String,
    /// The file
    pub file: std::path::PathBuf,
    /// A site that keeps this calendar from now on, by name or id; may be given several times
    #[arg(long)]
    pub site: Vec<String>,
}

/// `forecourt billing price`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  forecourt billing price                                       whatever has no price or has changed since
  forecourt billing price --from 2026-11-01 --to 2026-12-01
  forecourt billing price --session 0199a2b4-…                  one session
  forecourt billing price --from 2026-11-01 --tariff Night --dry-run

The worker prices sessions as they end; this is for those that a tariff was given to afterwards. The tariff is the one that
held when the session started; a price made from the same as before makes no new revision.")]
pub struct Price {
    /// One session, by its id
    #[arg(long, value_name = "ID", conflicts_with_all = ["from", "to"])]
    pub session: Option<uuid::Uuid>,
    /// Sessions that started on this day (UTC) or later, or at this instant
    #[arg(long, value_name = "DAY")]
    pub from: Option<String>,
    /// Sessions that started before this day (UTC), or instant
    #[arg(long, value_name = "DAY")]
    pub to: Option<String>,
    /// What they would cost under this tariff, as it is now; needs --dry-run
    #[arg(long, value_name = "NAME")]
    pub tariff: Option<String>,
    /// Write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `forecourt billing issue`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  forecourt billing issue --month 2026-10                      every seller's statements
  forecourt billing issue --month 2026-10 --entity \"Harbour Charging GmbH\" --draft
  forecourt billing issue --month 2026-10 --customer \"Quay Logistics\"

Billing issues them by itself a day after the month's end. A customer has one statement a month; asked for twice, it is
issued once, and what came to light later is on the next one.")]
pub struct Issue {
    /// The month, which must be over in the seller's time zone
    #[arg(long, value_name = "YYYY-MM")]
    pub month: String,
    /// Only this legal entity's, by name or id
    #[arg(long, value_name = "NAME")]
    pub entity: Option<String>,
    /// Only this customer's, by name or id; also one whose usage Lago invoices
    #[arg(long, value_name = "NAME")]
    pub customer: Option<String>,
    /// Number and mail nothing: only write down what would be issued
    #[arg(long)]
    pub draft: bool,
}

/// `forecourt billing export`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  forecourt billing export --entity \"Harbour Charging GmbH\" --from 2026-10-01 --to 2026-10-31 > october.csv

Days are those of the legal entity's time zone, both included.")]
pub struct Export {
    /// The legal entity, by name or id
    #[arg(long, value_name = "NAME")]
    pub entity: String,
    /// The first day
    #[arg(long, value_name = "DAY")]
    pub from: String,
    /// The last day
    #[arg(long, value_name = "DAY")]
    pub to: String,
    /// Into this file instead of to standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<std::path::PathBuf>,
}

/// `forecourt billing sync`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  forecourt billing sync                 one run, as the worker makes it by its schedule
  forecourt billing sync --replay 1234   the events of run 1234 once more; what Lago has is not billed twice

While another process syncs, it does nothing and says so. Without LAGO_API_URL events are put down and wait.")]
pub struct Sync {
    /// Send the events of this run again
    #[arg(long, value_name = "RUN")]
    pub replay: Option<i64>,
    /// Look at every session there is, and not only at those since the last run
    #[arg(long)]
    pub whole: bool,
}

/// What can be done with stations.
#[derive(Debug, Subcommand)]
pub enum Station {
    /// Let a charger in
    Add(AddStation),
}

/// `forecourt station add`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  forecourt station add CP001                                 no password: security profile 0
  forecourt station add CP001 --password 'a long secret'      HTTP Basic auth: security profile 1
  forecourt station add CP001 --site \"Main Street\"

The charger connects to ws://HOST:9000/ocpp/CP001. One that tried before it was added is listed in the portal.")]
pub struct AddStation {
    /// The identity: the last part of the URL that the charger connects to
    #[arg(value_name = "ID")]
    pub identity: String,
    /// The password for HTTP Basic auth; the user name is the identity
    #[arg(long)]
    pub password: Option<String>,
    /// The site it stands at, by name or id
    #[arg(long)]
    pub site: Option<String>,
    /// OCPP security profile; by default 1 with a password and 0 without
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i16).range(0..=3))]
    pub security_profile: Option<i16>,
}

/// What can be done with id tokens.
#[derive(Debug, Subcommand)]
pub enum Tag {
    /// Let a card or app charge, or change its status
    Add(AddTag),
}

/// `forecourt tag add`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  forecourt tag add 04A2B3C4D5E680
  forecourt tag add 04A2B3C4D5E680 --status blocked")]
pub struct AddTag {
    /// The token as the charger sends it, at most 20 characters; case does not matter
    #[arg(value_name = "TAG")]
    pub token: String,
    /// What the charger is told
    #[arg(long, default_value = "accepted", value_parser = ["accepted", "blocked", "expired", "invalid"])]
    pub status: String,
}

/// What can be done with sites.
#[derive(Debug, Subcommand)]
pub enum Site {
    /// Add a place
    Add(AddSite),
}

/// `forecourt site add`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  forecourt site add \"Main Street\" --tz Europe/Berlin")]
pub struct AddSite {
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Its IANA time zone: days and hours are shown in it
    #[arg(long = "tz", value_name = "ZONE")]
    pub zone: String,
}

/// What can be done with people.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Let a person sign in (by a code that is mailed)
    Create(CreateUser),
}

/// `forecourt user create`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  forecourt user create --email you@example.org --role admin
  forecourt user create --email ann@example.org --role operator --site \"Main Street\"

An admin sees every site. Anybody else sees the sites named here, and without one nothing.")]
pub struct CreateUser {
    /// Where the sign-in codes go
    #[arg(long)]
    pub email: String,
    /// What the person is
    #[arg(long, value_parser = ["admin", "operator", "partner", "driver"])]
    pub role: String,
    /// A site the person works at, by name or id; may be given several times
    #[arg(long)]
    pub site: Vec<String>,
}

/// What can be done with API keys.
#[derive(Debug, Subcommand)]
pub enum ApiKey {
    /// Make a key and print it, once
    Create(CreateKey),
}

/// `forecourt api-key create`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  key=$(forecourt api-key create --name reports --scopes read)
  curl -H \"Authorization: Bearer $key\" http://127.0.0.1:8080/api/v1/sessions

Scopes: read is every GET, control every write and every command to a station. The key is stored as a hash: keep it.")]
pub struct CreateKey {
    /// What it is for
    #[arg(long)]
    pub name: String,
    /// What it may do, separated by commas
    #[arg(long, value_delimiter = ',', required = true, value_parser = ["read", "control"])]
    pub scopes: Vec<String>,
}

/// What can be done with certificates.
#[derive(Debug, Subcommand)]
pub enum Certs {
    /// Make an authority of your own: ca.pem, ca.key, and ca.crl for those that are revoked
    DevCa(DevCa),
    /// Make the server's certificate: server.pem, server.key
    Server(ServerCertificate),
    /// Make a station's certificate: station-SERIAL.pem, station-SERIAL.key
    Station(StationCertificate),
    /// Put certificates on the list of the revoked ones, ca.crl
    Revoke(Revoke),
}

/// Where certificates are.
#[derive(Debug, Args)]
pub struct CertFolder {
    /// The folder of the files, by default FORECOURT_DATA/certs; keys are readable by you alone
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<std::path::PathBuf>,
}

/// `forecourt certs dev-ca`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  forecourt certs dev-ca --organisation \"Example CPO\"

The organisation is what OCPP calls CpoName: every station's certificate must carry it. Set OCPP_CPO_NAME to the same.
For development and small installations; a fleet of size has a PKI of its own.")]
pub struct DevCa {
    /// Who operates the stations: O of every certificate
    #[arg(long, value_name = "NAME")]
    pub organisation: String,
    /// The authority's own name: its CN
    #[arg(long, default_value = "Forecourt development CA")]
    pub name: String,
    /// How long it is valid
    #[arg(long, default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: u32,
    #[command(flatten)]
    pub place: CertFolder,
    /// Replace what is there
    #[arg(long)]
    pub force: bool,
}

/// `forecourt certs server`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  forecourt certs server charge.example.org
  forecourt certs server charge.example.org 192.0.2.7 --days 30 --force

A server that runs takes the new files by itself, without dropping a socket.")]
pub struct ServerCertificate {
    /// The names that chargers know it by: host names or addresses; the first is its CN
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    /// How long it is valid
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: u32,
    #[command(flatten)]
    pub place: CertFolder,
    /// Replace what is there
    #[arg(long)]
    pub force: bool,
}

/// `forecourt certs station`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  forecourt certs station SN0012345

The serial number must be the station's identity here, or what is set as its certificate name. Stations that can make keys
themselves need none of this: they ask by SignCertificate (docs/security.md).")]
pub struct StationCertificate {
    /// The station's serial number: the CN
    #[arg(value_name = "SERIAL")]
    pub serial: String,
    /// Who operates it: the O; by default the authority's
    #[arg(long, value_name = "NAME")]
    pub organisation: Option<String>,
    /// How long it is valid
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: u32,
    #[command(flatten)]
    pub place: CertFolder,
    /// Replace what is there
    #[arg(long)]
    pub force: bool,
}

/// `forecourt certs revoke`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  forecourt certs revoke data/certs/station-SN0012345.pem

A server with OCPP_TLS_CRL=data/certs/ca.crl refuses them from its next look on.")]
pub struct Revoke {
    /// The certificates
    #[arg(value_name = "FILE", required = true)]
    pub certificates: Vec<std::path::PathBuf>,
    #[command(flatten)]
    pub place: CertFolder,
    /// How long the list is valid
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: u32,
}
