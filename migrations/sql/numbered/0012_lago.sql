-- Usage to Lago: what was billed of each session, the events that say so, and how the sending went.
-- Owner: billing, but for sync_requests, lago_webhooks and lago_gate, which the portal writes.

create table sync_runs (
    id              bigint generated always as identity primary key,
    -- Why it ran: by schedule, at start, asked for (page, API, command line), by the meters, or another run again.
    cause           text not null constraint sync_runs_cause_check
                    check (cause in ('schedule', 'start', 'request', 'meter', 'replay')),
    replay_of       bigint references sync_runs on delete set null,
    started_at      timestamptz not null,
    completed_at    timestamptz,
    status          text not null default 'running' constraint sync_runs_status_check
                    check (status in ('running', 'completed', 'failed')),
    -- Sessions looked at, of those the ones on nobody's account, and what became of events.
    sessions        integer not null default 0,
    unmapped        integer not null default 0,
    events_created  integer not null default 0,
    events_sent     integer not null default 0,
    duplicates      integer not null default 0,
    rejected        integer not null default 0,
    errors          text[] not null default '{}'
);
create index sync_runs_started_idx on sync_runs (started_at desc);

-- What a run did, line by line.
create table sync_run_log (
    run_id  bigint not null references sync_runs on delete cascade,
    n       integer generated always as identity,
    at      timestamptz not null,
    level   text not null constraint sync_run_log_level_check check (level in ('info', 'warn', 'error')),
    line    text not null,
    primary key (run_id, n)
);

-- NOTIFY may be lost; a row is not.
create table sync_requests (
    id            bigint generated always as identity primary key,
    requested_at  timestamptz not null,
    source        text not null,
    replay_of     bigint references sync_runs on delete cascade,
    taken_at      timestamptz
);
create index sync_requests_waiting_idx on sync_requests (id) where taken_at is null;

-- How far each session is billed. Written with the events that it counts, never without them.
create table lago_sync_state (
    session_id   uuid primary key,
    site_id      uuid,
    -- In lower case: found by account.
    id_token     text not null,
    -- The register up to which there are events; null: none yet, and the start counts.
    billed_wh    bigint,
    total_wh     bigint not null default 0,
    -- When the meter said so (its own time).
    billed_at    timestamptz,
    finalised    boolean not null default false,
    -- meter-rollback, over-billed, event-repeats: for a person to look at.
    flags        text[] not null default '{}',
    last_run_id  bigint,
    updated_at   timestamptz not null
);
create index lago_sync_state_open_idx on lago_sync_state (id_token) where not finalised;
create index lago_sync_state_flagged_idx on lago_sync_state (updated_at desc) where flags <> '{}';

-- The outbox. What an event says is frozen with its row: sent again it is the same bytes.
create table lago_events (
    -- fc_{session}_{from}_{to}: the same usage is the same event, whatever run makes or sends it.
    event_id           text primary key,
    session_id         uuid not null,
    site_id            uuid,
    id_token           text not null,
    -- As they were when it was made: a mapping changed later moves nothing.
    mapping_id         uuid,
    customer_id        uuid not null,
    lago_customer      text not null,
    -- Null until it is known which subscription is the customer's first active one; then for good.
    lago_subscription  text,
    code               text not null,
    -- The sample's time, or the stop's.
    at                 timestamptz not null,
    from_wh            bigint not null,
    to_wh              bigint not null constraint lago_events_delta_check check (to_wh > from_wh),
    kwh                numeric not null,
    final              boolean not null,
    -- JSON to the letter.
    properties         text not null,
    status             text not null default 'pending' constraint lago_events_status_check
                       check (status in ('pending', 'sent', 'duplicate', 'rejected')),
    reason             text,
    tries              integer not null default 0,
    -- The runs that made and sent it; runs are forgotten before events are.
    run_id             bigint not null,
    sent_run_id        bigint,
    created_at         timestamptz not null,
    sent_at            timestamptz
);
create index lago_events_pending_idx on lago_events (created_at, event_id) where status = 'pending';
create index lago_events_session_idx on lago_events (session_id);
create index lago_events_created_idx on lago_events (created_at desc, event_id desc);
create index lago_events_run_idx on lago_events (run_id);
create index lago_events_rejected_idx on lago_events (created_at desc) where status = 'rejected';
create index lago_events_reconcile_idx on lago_events (at) where status in ('sent', 'duplicate');

-- What Lago said to us, to the letter. One row, and so one effect, per X-Lago-Unique-Key.
create table lago_webhooks (
    unique_key    text primary key,
    received_at   timestamptz not null,
    webhook_type  text not null,
    algorithm     text not null,
    body          text not null,
    -- What came of it, in words; null while it waits (the breaker was open, or its effect failed).
    effect        text,
    error         text,
    applied_at    timestamptz,
    replays       integer not null default 0
);
create index lago_webhooks_received_idx on lago_webhooks (received_at desc);

-- How it stands between us and Lago; one row.
create table lago_link (
    one                boolean primary key default true constraint lago_link_one_check check (one),
    circuit            text not null default 'closed' constraint lago_link_circuit_check
                       check (circuit in ('closed', 'open', 'half-open')),
    failures           integer not null default 0,
    opened_at          timestamptz,
    next_try_at        timestamptz,
    last_error         text,
    last_success_at    timestamptz,
    -- The billable metric: sum of our property, or nothing is sent.
    metric_ok          boolean,
    metric_detail      text not null default 'not checked yet',
    metric_checked_at  timestamptz,
    -- How often it is worth looking: active, idle or dormant, and for how many looks it was quiet.
    cadence            text not null default 'active',
    quiet_looks        integer not null default 0,
    -- Sessions and stops that we received up to this instant have been looked at.
    seen_at            timestamptz
);
insert into lago_link default values;

-- Webhooks whose effect failed in a row; from some number on they are kept and not applied.
create table lago_gate (
    one        boolean primary key default true constraint lago_gate_one_check check (one),
    failures   integer not null default 0,
    closed_at  timestamptz
);
insert into lago_gate default values;

-- Nightly: what we sent, and what Lago has, by subscription and day.
create table lago_reconciliations (
    day                date not null,
    lago_subscription  text not null,
    at                 timestamptz not null,
    our_events         bigint not null,
    our_kwh            numeric not null,
    lago_events        bigint not null,
    lago_kwh           numeric not null,
    missing            text[] not null default '{}',
    extra              text[] not null default '{}',
    ok                 boolean not null,
    primary key (day, lago_subscription)
);
create index lago_reconciliations_wrong_idx on lago_reconciliations (day desc) where not ok;

insert into retention_policies values
    ('sync_runs', 90, 'diagnosis; what was billed is in the events'),
    ('lago_webhooks', 365, 'proof of what Lago said');
