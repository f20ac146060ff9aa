-- What the csms keeps of a station beyond its transactions: configuration and what it should be, the local list,
-- reservations and charging profiles. Owner: csms writes what stations answered; the portal what people want.

-- One row per key that the station named or that was set. Keys are compared without regard to case (CiString50).
create table station_configuration (
    station_id   uuid not null references stations on delete cascade,
    -- As the station spells it.
    key          text not null,
    -- Verbatim, as text; null when it gave none, or when the key is a secret.
    value        text,
    readonly     boolean,
    -- false: the station said that it does not know this key.
    known        boolean not null default true,
    read_at      timestamptz,
    -- What a ChangeConfiguration asked for last, and what the station said to it.
    set_value    text,
    set_answer   text,
    set_at       timestamptz
);
create unique index station_configuration_key on station_configuration (station_id, lower(key));

-- What keys should be: a named set, given to stations, sites or models. The narrower one wins.
create table configuration_templates (
    id          uuid primary key,
    name        text not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null
);
create unique index configuration_templates_name_key on configuration_templates (lower(name));
create table configuration_template_keys (
    template_id  uuid not null references configuration_templates on delete cascade,
    key          text not null,
    value        text not null
);
create unique index configuration_template_keys_key on configuration_template_keys (template_id, lower(key));
create table configuration_template_uses (
    template_id  uuid not null references configuration_templates on delete cascade,
    station_id   uuid references stations on delete cascade,
    site_id      uuid references sites on delete cascade,
    model        text,
    constraint configuration_template_uses_check check (num_nonnulls(station_id, site_id, model) = 1)
);
create unique index configuration_template_uses_key on configuration_template_uses
    (template_id, coalesce(station_id::text, site_id::text, lower(model)));
create index configuration_template_uses_station_idx on configuration_template_uses (station_id);
create index configuration_template_uses_site_idx on configuration_template_uses (site_id);

-- The local authorization list of a station: whether we keep it, and how far the station has come.
create table local_lists (
    station_id       uuid primary key references stations on delete cascade,
    -- Changes are pushed by themselves.
    subscribed       boolean not null default false,
    -- Which tokens it should hold: all there are, those of its site, or those chosen for it.
    rule             text not null default 'site' constraint local_lists_rule_check
                     check (rule in ('all', 'site', 'chosen')),
    -- The version that the station last accepted from us.
    version          integer not null default 0,
    -- What it said itself: -1 it keeps no list, 0 the list is empty.
    station_version  integer,
    asked_at         timestamptz,
    supported        boolean,
    last_result      text,
    last_result_at   timestamptz,
    -- The next push must be a full one: the station's list is not what we believe.
    want_full        boolean not null default true,
    -- Something it depends on has changed since it was last compared.
    look             boolean not null default true,
    pending_command  uuid,
    failures         integer not null default 0,
    next_try_at      timestamptz
);
create index local_lists_look_idx on local_lists (station_id) where subscribed and look;
create index local_lists_pending_idx on local_lists (pending_command) where pending_command is not null;

-- What the station holds, as far as it accepted what we sent.
create table local_list_entries (
    station_id  uuid not null references stations on delete cascade,
    token       text not null,
    status      text not null,
    parent      text,
    expires_at  timestamptz
);
create unique index local_list_entries_key on local_list_entries (station_id, lower(token));

-- The tokens chosen for a station, or for every station of a site.
create table local_list_members (
    id_token_id  uuid not null references id_tokens on delete cascade,
    station_id   uuid references stations on delete cascade,
    site_id      uuid references sites on delete cascade,
    constraint local_list_members_check check (num_nonnulls(station_id, site_id) = 1)
);
create unique index local_list_members_key on local_list_members (id_token_id, coalesce(station_id, site_id));
create index local_list_members_station_idx on local_list_members (station_id);
create index local_list_members_site_idx on local_list_members (site_id);

-- Whoever changes a token, its choice or a station's site: the lists that may differ now are looked at again.
create function local_lists_look_all() returns trigger language plpgsql security definer set search_path = public as $$
begin
    update local_lists set look = true where subscribed and not look;
    return null;
end $$;
create trigger local_lists_of_tokens after insert or delete or update of token, status, parent, expires_at on id_tokens
    for each statement execute function local_lists_look_all();
create trigger local_lists_of_members after insert or delete on local_list_members
    for each statement execute function local_lists_look_all();
create function local_lists_look_one() returns trigger language plpgsql security definer set search_path = public as $$
begin
    update local_lists set look = true where station_id = new.id;
    return null;
end $$;
create trigger local_lists_of_stations after update of site_id on stations
    for each row when (old.site_id is distinct from new.site_id) execute function local_lists_look_one();

-- A connector kept for somebody until a time. Billing prices the window from accepted_at to ended_at.
create sequence reservation_numbers as integer;
create table reservations (
    id              uuid primary key,
    -- The reservationId.
    number          integer not null,
    station_id      uuid not null,
    -- The station's site when it was asked for.
    site_id         uuid references sites,
    -- 0: the charge point as a whole.
    connector       integer not null,
    id_token        text not null,
    -- The token's group: another token of it may use the reservation.
    parent          text,
    expires_at      timestamptz not null,
    -- unknown: it was asked for, and nobody can tell what the station made of it.
    status          text not null constraint reservations_status_check check (status in
                    ('requested', 'accepted', 'refused', 'unknown', 'used', 'cancelled', 'expired', 'replaced')),
    -- The station's word: Accepted, Faulted, Occupied, Rejected, Unavailable; or why there is none.
    answer          text,
    command_id      uuid,
    created_at      timestamptz not null,
    accepted_at     timestamptz,
    -- When the connector was free again, or its transaction began.
    ended_at        timestamptz,
    transaction_id  uuid,
    -- The token of that transaction.
    used_by         text,
    actor_kind      text not null,
    actor_id        uuid
);
create unique index reservations_number_key on reservations (station_id, number)
    where status in ('requested', 'accepted', 'unknown');
create index reservations_station_idx on reservations (station_id, created_at desc, id desc);
create index reservations_created_idx on reservations (created_at desc, id desc);
create index reservations_open_idx on reservations (expires_at) where status in ('requested', 'accepted', 'unknown');
create index reservations_command_idx on reservations (command_id);
create index reservations_transaction_idx on reservations (transaction_id) where transaction_id is not null;

-- A charging profile that the station accepted; it holds until it is cleared, replaced, or its transaction ends.
create table charging_profiles (
    id                  uuid primary key,
    station_id          uuid not null,
    -- 0: the charge point as a whole; null: that of the transaction which a RemoteStart is to make.
    connector           integer,
    -- The chargingProfileId.
    number              integer not null,
    stack_level         integer not null,
    purpose             text not null,
    kind                text not null,
    transaction_number  bigint,
    transaction_id      uuid,
    -- Whose transaction it waits for (RemoteStart).
    awaits              text,
    -- csChargingProfiles as it was sent.
    profile             text not null,
    set_at              timestamptz not null,
    command_id          uuid,
    ended_at            timestamptz,
    -- cleared, replaced, transaction
    ended_why           text
);
create index charging_profiles_live_idx on charging_profiles (station_id) where ended_at is null;
create index charging_profiles_tx_idx on charging_profiles (transaction_id)
    where ended_at is null and transaction_id is not null;
create index charging_profiles_awaits_idx on charging_profiles (station_id, set_at)
    where awaits is not null and ended_at is null;

-- What a station said to profiles of each sort: what to try instead (quirk: only amperes, only watts, never connector 0).
create table charging_profile_answers (
    station_id  uuid not null references stations on delete cascade,
    unit        text not null,
    whole       boolean not null,
    stacked     boolean not null,
    answer      text not null,
    times       bigint not null default 1,
    last_at     timestamptz not null,
    primary key (station_id, unit, whole, stacked, answer)
);

insert into retention_policies values
    ('reservations', 730, 'disputes about what a reservation cost, as long as the sessions themselves'),
    ('charging_profiles', 365, 'why a car charged slowly last winter');
