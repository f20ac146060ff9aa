-- What happened at the stations. Owner: csms.

-- Blocks of transaction numbers: each call hands out the thousand that ends at the value returned.
create sequence transaction_blocks increment by 1000 start with 1000 no cycle;

create table transactions (
    id                 uuid primary key,
    -- No foreign key: its check would be a tenth of what a start costs, and no station is ever deleted.
    station_id         uuid not null,
    -- The transactionId that the station was given; for an orphan, the one it claimed.
    number             bigint not null,
    evse               integer not null,
    connector          integer not null,
    id_token           text not null,
    -- The charger's time as it was stated (part of the natural key), what people see of it, and ours.
    started_at         timestamptz not null,
    shown_at           timestamptz not null,
    start_received_at  timestamptz not null,
    meter_start_wh     bigint not null,
    reservation_id     bigint,
    stopped_at         timestamptz,
    stop_received_at   timestamptz,
    meter_stop_wh      bigint,
    stop_reason        text,
    stop_id_token      text,
    site_id            uuid references sites,
    flags              text[] not null default '{}'
);
-- The natural keys of spec ocpp-rules, "Decided".
create unique index transactions_start_key
    on transactions (station_id, connector, lower(id_token), started_at, meter_start_wh)
    where stopped_at is null;
create unique index transactions_number_key on transactions (station_id, number);
create index transactions_start_idx on transactions (station_id, started_at desc);
create index transactions_open_token_idx on transactions (lower(id_token)) where stopped_at is null;

-- What a station said that fits no transaction, or contradicts one: stored, shown, never billed by itself.
create table odd_stops (
    id             uuid primary key,
    station_id     uuid not null,
    number         bigint not null,
    -- The transaction it was attributed to, or contradicts.
    transaction_id uuid references transactions,
    stopped_at     timestamptz not null,
    received_at    timestamptz not null,
    meter_stop_wh  bigint not null,
    stop_reason    text,
    id_token       text,
    why            text not null
);
create unique index odd_stops_key on odd_stops (station_id, number, stopped_at, meter_stop_wh);

-- What people see of a transaction. Made and closed with it; a session entered by hand has no transaction.
create table charging_sessions (
    -- The same id as its transaction. No foreign keys here: the statement that makes the transaction, whose own keys
    -- are checked, makes this row too, and every check costs a charger's answer.
    id              uuid primary key,
    transaction_id  uuid,
    number          bigint,
    station_id      uuid,
    site_id         uuid,
    evse            integer not null,
    connector       integer not null,
    id_token        text not null,
    state           text not null constraint charging_sessions_state_check
                    check (state in ('active', 'ended', 'orphan')),
    started_at      timestamptz not null,
    ended_at        timestamptz,
    -- While active these come from meter_values when read; closing writes them once.
    energy_wh       bigint,
    max_power_w     integer,
    soc_start       smallint,
    soc_end         smallint,
    stop_reason     text,
    flags           text[] not null default '{}'
) with (fillfactor = 80);
create index charging_sessions_started_idx on charging_sessions (started_at desc, id desc);
create index charging_sessions_station_idx on charging_sessions (station_id, started_at desc, id desc);
create index charging_sessions_site_idx on charging_sessions (site_id, started_at desc, id desc);
-- No index knows the state: closing a session then touches no index at all. The active ones are those of open
-- transactions, which are few and have an index.

create type reading_context as enum (
    'Sample.Periodic', 'Sample.Clock', 'Transaction.Begin', 'Transaction.End', 'Trigger',
    'Interruption.Begin', 'Interruption.End', 'Other'
);

-- One wide row per station, EVSE, connector, charger time and context (design, "Rules of the schema").
-- Partitioned by the charger's time: it is part of the natural key. Energy in Wh, power in W, current in mA,
-- voltage in mV, SoC in per mille, temperature in tenths of a degree Celsius.
create table meter_values (
    station_id       uuid not null,
    at               timestamptz not null,
    evse             integer not null,
    connector        integer not null,
    context          reading_context not null,
    received_at      timestamptz not null,
    transaction_id   uuid,
    energy_wh        bigint,
    power_w          integer,
    current_l1_ma    integer,
    current_l2_ma    integer,
    current_l3_ma    integer,
    voltage_l1_mv    integer,
    voltage_l2_mv    integer,
    voltage_l3_mv    integer,
    soc_pm           smallint,
    temperature_dc   smallint,
    offered_w        integer,
    offered_ma       integer,
    -- Readings with no column of their own, and values that contradict a filled column, as the charger wrote them.
    rest             text,
    flags            text[],
    primary key (station_id, at, evse, connector, context)
) partition by range (at);

-- The same row for a charger whose clock is outside [receipt - retention, receipt + 2 days].
create table meter_values_odd (like meter_values including all);

-- Signed meter values as the charger sent them: text to the letter, never jsonb (calibration law).
create table signed_meter_values (
    station_id      uuid not null,
    at              timestamptz not null,
    evse            integer not null,
    connector       integer not null,
    context         reading_context not null,
    sha256          bytea not null,
    value           text not null,
    measurand       text not null,
    transaction_id  uuid,
    received_at     timestamptz not null,
    primary key (station_id, at, evse, connector, context, sha256)
);

-- One row per CALL with its answer, both directions; no unique key, partitioned by receipt.
create table ocpp_messages (
    id            uuid not null,
    received_at   timestamptz not null,
    station_id    uuid not null,
    -- 'in': the station called us. 'out': we called the station.
    direction     text not null,
    message_id    text not null,
    action        text not null,
    payload       text not null,
    answer        text,
    error_code    text,
    answered_at   timestamptz,
    -- What was mended or found wanting, in plain words; null when nothing was.
    findings      text
) partition by range (received_at);
create index ocpp_messages_station_idx on ocpp_messages (station_id, received_at desc);
