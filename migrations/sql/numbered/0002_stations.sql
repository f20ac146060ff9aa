-- Stations, what is known of them now, and the tokens that may charge.
-- Owner: csms, but for what an operator sets (site, registration, password, options), which the portal writes.

create table stations (
    id                 uuid primary key,
    -- As registered; looked up without regard to case (chargers change it).
    identity           text not null,
    site_id            uuid references sites,
    registration       text not null default 'accepted' constraint stations_registration_check
                       check (registration in ('accepted', 'pending', 'rejected')),
    security_profile   smallint not null default 0 constraint stations_security_profile_check
                       check (security_profile between 0 and 3),
    -- argon2 in PHC form; null where no password is asked for.
    password_hash      text,
    -- Per-station switches: {"assume_16": true, "log_heartbeats": true, "strict": true, ...}
    options            jsonb not null default '{}',
    vendor             text,
    model              text,
    serial             text,
    firmware           text,
    -- Before this instant of the charger's clock nothing it says of time is believed.
    first_accepted_at  timestamptz,
    last_boot_at       timestamptz,
    created_at         timestamptz not null default now()
);
create unique index stations_identity_key on stations (lower(identity));
create index stations_site_idx on stations (site_id);

-- What changes all the time, apart from the row that people edit. One statement writes all stations at most every 30 s.
create table station_presence (
    station_id       uuid primary key references stations on delete cascade,
    node             text,
    -- Grows with each socket of the station; a late close of an old socket changes nothing.
    generation       bigint not null default 0,
    connected        boolean not null default false,
    protocol         text,
    address          text,
    connected_at     timestamptz,
    disconnected_at  timestamptz,
    last_seen_at     timestamptz,
    heartbeats       bigint not null default 0
) with (fillfactor = 70);

-- The live state of each connector; 1.6 connector N is EVSE N, connector 1, and 0 is the station itself.
create table connectors (
    station_id         uuid not null references stations on delete cascade,
    evse               integer not null,
    connector          integer not null,
    status             text not null,
    error_code         text not null,
    vendor_error_code  text,
    info               text,
    -- The charger's own time, and ours; live state follows arrival.
    at                 timestamptz not null,
    received_at        timestamptz not null,
    primary key (station_id, evse, connector)
) with (fillfactor = 70);

-- Every change of a connector's state, for history and fault lists.
create table connector_history (
    station_id         uuid not null,
    evse               integer not null,
    connector          integer not null,
    at                 timestamptz not null,
    received_at        timestamptz not null,
    status             text not null,
    error_code         text not null,
    vendor_error_code  text,
    info               text
);
create index connector_history_station_idx on connector_history (station_id, received_at desc);

create table id_tokens (
    id          uuid primary key,
    -- Compared without regard to case (OCPP 1.6 4.1, IdToken is a CiString20).
    token       text not null,
    kind        text not null default 'RFID',
    status      text not null default 'accepted' constraint id_tokens_status_check
                check (status in ('accepted', 'blocked', 'expired', 'invalid')),
    parent      text,
    expires_at  timestamptz,
    -- How many open transactions it may have; null: as many as it likes.
    max_active  integer,
    owner       text not null default '',
    created_at  timestamptz not null default now()
);
create unique index id_tokens_token_key on id_tokens (lower(token));

-- Why chargers could not connect: one row per identity and reason, so that a storm of refusals stays one row.
create table refusals (
    identity    text not null,
    reason      text not null,
    detail      text not null default '',
    address     text not null default '',
    attempts    bigint not null default 1,
    first_at    timestamptz not null,
    last_at     timestamptz not null,
    primary key (identity, reason)
);
create index refusals_last_idx on refusals (last_at desc);
