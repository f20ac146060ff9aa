-- What money is about: who sells, who pays, at which tariff, and what a session costs.
-- Owner of prices: billing. Owner of what people set (entities, customers, mappings, tariffs, assignments): portal.

-- Who sells the energy and sends the invoices: numbers are gap-free per legal entity.
create table legal_entities (
    id              uuid primary key,
    name            text not null,
    -- Lines of the postal address, as printed.
    address         text not null default '',
    -- ISO 3166-1 alpha-2; decides how long vouchers are kept.
    country         text not null constraint legal_entities_country_check check (country ~ '^[A-Z]{2}$'),
    tax_id          text not null default '',
    email           text not null default '',
    -- ISO 4217.
    currency        text not null constraint legal_entities_currency_check check (currency ~ '^[A-Z]{3}$'),
    -- How an invoice line is rounded, once.
    rounding        text not null default 'half-up' constraint legal_entities_rounding_check
                    check (rounding in ('half-up', 'half-even')),
    -- Tax of each line, or of the sum of each rate.
    tax_per         text not null default 'line' constraint legal_entities_tax_per_check check (tax_per in ('line', 'rate')),
    -- Days from issue to due.
    payment_days    integer not null default 14 constraint legal_entities_payment_days_check check (payment_days between 0 and 365),
    -- What is printed as "pay to": IBAN and the like.
    payment_details text not null default '',
    -- PNG, printed on invoices; null prints the name.
    logo            bytea,
    created_at      timestamptz not null
);
create unique index legal_entities_name_key on legal_entities (lower(name));

-- Whose customers charge at the site. Null: nobody invoices there.
alter table sites add column legal_entity_id uuid references legal_entities;
-- Public holidays that tariffs know: a calendar's name, shared by sites.
alter table sites add column holiday_calendar text;

-- Who pays.
create table customers (
    id                uuid primary key,
    name              text not null,
    email             text not null default '',
    address           text not null default '',
    country           text not null default '' constraint customers_country_check check (country ~ '^([A-Z]{2})?$'),
    tax_id            text not null default '',
    -- Its id in Lago, if usage is sent there.
    lago_external_id  text,
    active            boolean not null default true,
    created_at        timestamptz not null
);
create unique index customers_lago_external_id_key on customers (lago_external_id) where lago_external_id is not null;

-- Which id token charges on whose account (spec billing-sync OB-5, OB-6). A token without a row of its own charges on the
-- account of its nearest mapped ancestor.
create table tag_mappings (
    id                             uuid primary key,
    id_token                       text not null,
    customer_id                    uuid not null references customers,
    -- Null: the customer's first active subscription.
    lago_subscription_external_id  text,
    display_name                   text not null default '',
    notes                          text not null default '',
    active                         boolean not null default true,
    -- Made with the mapping of this parent token, and changed and deleted with it.
    made_for                       uuid references tag_mappings on delete cascade,
    created_at                     timestamptz not null,
    updated_at                     timestamptz not null
);
create unique index tag_mappings_id_token_key on tag_mappings (lower(id_token));

create table driver_groups (
    id          uuid primary key,
    name        text not null,
    created_at  timestamptz not null
);
create unique index driver_groups_name_key on driver_groups (lower(name));
alter table id_tokens add column group_id uuid references driver_groups;

create table tariffs (
    id           uuid primary key,
    name         text not null,
    currency     text not null constraint tariffs_currency_check check (currency ~ '^[A-Z]{3}$'),
    archived_at  timestamptz,
    created_at   timestamptz not null
);
create unique index tariffs_name_key on tariffs (lower(name)) where archived_at is null;

-- What a tariff says from `valid_from` on. A version never changes: another day's prices are another version.
create table tariff_versions (
    id          uuid primary key,
    tariff_id   uuid not null references tariffs,
    version     integer not null,
    valid_from  timestamptz not null,
    -- billing::tariff::Tariff, as its JSON; prices are decimal strings.
    content     jsonb not null,
    created_at  timestamptz not null,
    constraint tariff_versions_version_key unique (tariff_id, version)
);

-- Where a tariff holds. The narrowest match wins: connector, station, driver group at a site, driver group, site; of
-- equals the latest `valid_from`.
create table tariff_assignments (
    id          uuid primary key,
    tariff_id   uuid not null references tariffs,
    site_id     uuid references sites,
    station_id  uuid references stations,
    -- With station_id: one of its connectors (1.6: the connectorId).
    evse        integer,
    group_id    uuid references driver_groups,
    valid_from  timestamptz not null,
    valid_to    timestamptz,
    created_at  timestamptz not null,
    constraint tariff_assignments_place_check check
        (num_nonnulls(site_id, station_id, group_id) > 0 and (evse is null or station_id is not null)
         and not (site_id is not null and station_id is not null)),
    constraint tariff_assignments_period_check check (valid_to is null or valid_to > valid_from)
);

create table holidays (
    calendar  text not null,
    day       date not null,
    name      text not null default '',
    primary key (calendar, day)
);

-- The tariff of a session, frozen when it began. No row: no tariff held there, and the session costs nothing.
create table session_tariffs (
    session_id         uuid primary key,
    tariff_version_id  uuid not null references tariff_versions,
    frozen_at          timestamptz not null
);

-- What an ended session costs. Late data makes a new revision; the newest counts, and an invoiced one is never replaced
-- but corrected by a credit note.
create table session_prices (
    session_id         uuid not null,
    revision           integer not null,
    site_id            uuid,
    station_id         uuid,
    tariff_version_id  uuid not null references tariff_versions,
    computed_at        timestamptz not null,
    -- held: a person has to look (see reasons); it is never invoiced as it stands.
    state              text not null constraint session_prices_state_check check (state in ('priced', 'held')),
    reasons            text[] not null default '{}',
    currency           text not null,
    net                numeric not null,
    tax                numeric not null,
    total              numeric not null,
    -- billing::price::Line, as JSON.
    lines              jsonb not null,
    -- sha256 of everything the price was made from: the same again makes no new revision.
    made_from          bytea not null,
    primary key (session_id, revision)
);
create index session_prices_computed_idx on session_prices (computed_at desc, session_id);
create index session_prices_held_idx on session_prices (site_id, computed_at desc) where state = 'held';

-- What is said of money stays said.
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% keeps what was written: % is refused', tg_table_name, lower(tg_op)
        using errcode = 'integrity_constraint_violation', constraint = tg_table_name || '_is_append_only';
end $$;
create trigger tariff_versions_is_append_only before update or delete or truncate on tariff_versions
    for each statement execute function refuse_change();
create trigger session_prices_is_append_only before update or delete or truncate on session_prices
    for each statement execute function refuse_change();
create trigger session_tariffs_is_append_only before update or delete or truncate on session_tariffs
    for each statement execute function refuse_change();
