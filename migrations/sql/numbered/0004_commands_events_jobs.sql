-- How the rooms meet: commands (portal inserts, csms advances), events (an outbox), jobs (durable slow work).

create table commands (
    id                 uuid primary key,
    station_id         uuid not null references stations on delete cascade,
    site_id            uuid references sites,
    action             text not null,
    payload            text not null,
    raw                boolean not null default false,
    status             text not null default 'queued' constraint commands_status_check check (status in
                       ('queued', 'sent', 'answered', 'error', 'timeout', 'expired', 'cancelled', 'unknown')),
    -- The CALLRESULT's payload to the letter.
    answer             text,
    error_code         text,
    error_description  text,
    effect             text,
    actor_kind         text not null,
    actor_id           uuid,
    message_id         text,
    node               text,
    created_at         timestamptz not null,
    sent_at            timestamptz,
    answered_at        timestamptz,
    expires_at         timestamptz not null
);
create index commands_queue_idx on commands (station_id, created_at, id) where status in ('queued', 'sent');
create index commands_station_idx on commands (station_id, created_at desc, id desc);
create index commands_created_idx on commands (created_at desc, id desc);

-- What happened, written in the transaction that made it happen. A reader keeps the position (tx, id) and reads
-- only rows with tx below the oldest transaction still running, so that late commits are never skipped.
create table events (
    id          bigint generated always as identity,
    tx          xid8 not null default pg_current_xact_id(),
    at          timestamptz not null,
    kind        text not null,
    site_id     uuid,
    station_id  uuid,
    -- The session, command or other thing that it is about.
    subject     uuid,
    detail      jsonb not null default '{}',
    primary key (tx, id)
);
create index events_at_idx on events (at);

create table jobs (
    id            bigint generated always as identity primary key,
    kind          text not null,
    payload       jsonb not null default '{}',
    -- A second job of the same kind and key is not queued while one waits.
    dedupe_key    text,
    run_at        timestamptz not null,
    tries         integer not null default 0,
    max_tries     integer not null default 10,
    leased_until  timestamptz,
    last_error    text,
    done_at       timestamptz,
    failed_at     timestamptz,
    created_at    timestamptz not null
);
create index jobs_due_idx on jobs (kind, run_at) where done_at is null and failed_at is null;
create unique index jobs_dedupe_key on jobs (kind, dedupe_key)
    where dedupe_key is not null and done_at is null and failed_at is null;

-- How often each kind of regular work ran, and how it went; admins see it.
create table job_runs (
    kind         text primary key,
    last_run_at  timestamptz,
    next_run_at  timestamptz,
    ok           boolean,
    detail       text
);

-- Hourly and daily sums for charts. Owner: billing.
create table energy_hourly (
    station_id    uuid not null,
    site_id       uuid,
    hour          timestamptz not null,
    energy_wh     bigint not null,
    max_power_w   integer,
    primary key (station_id, hour)
);
create table sessions_daily (
    station_id    uuid not null,
    site_id       uuid,
    -- The day of the start, in the site's time zone.
    day           date not null,
    sessions      bigint not null,
    energy_wh     bigint not null,
    primary key (station_id, day)
);
