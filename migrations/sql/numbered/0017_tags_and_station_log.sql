-- Who tried to charge and was told no, and when stations came, went and booted. Owner of both tables: csms.

-- One row per token, station and verdict, so that a card that is held to a reader all day stays one row. What was
-- accepted is not here: it is a transaction.
create table authorize_attempts (
    station_id  uuid not null,
    -- As the station spelt it last; compared without regard to case.
    token       text not null,
    -- invalid, blocked, expired, concurrent_tx, no_account
    verdict     text not null,
    attempts    bigint not null default 1,
    first_at    timestamptz not null,
    last_at     timestamptz not null
) with (fillfactor = 80);
create unique index authorize_attempts_key on authorize_attempts (lower(token), station_id, verdict);
create index authorize_attempts_last_idx on authorize_attempts (last_at desc);

create table station_log (
    station_id  uuid not null,
    at          timestamptz not null,
    kind        text not null constraint station_log_kind_check check (kind in ('connected', 'disconnected', 'booted')),
    -- connected: protocol, address; booted: vendor, model, serial, firmware, accepted
    detail      jsonb not null default '{}'
);
create index station_log_station_idx on station_log (station_id, at desc);

-- What people call the station.
alter table stations add column name text not null default '';

-- For lists over all stations: rows arrive in the order of their receipt, so that a few kilobytes find a span of time.
create index ocpp_messages_received_idx on ocpp_messages using brin (received_at);

insert into retention_policies values
    ('authorize_attempts', 90, 'diagnosis; id tokens are personal data'),
    ('station_log', 730, 'uptime and disputes of it');
