-- What turns sessions into prices: where readers of the outbox stand, which tariff holds where, prices from outside.
-- Owner: billing, but for the feeds, which people set.

-- A reader of the outbox reads on after (tx, id), whoever runs it. The row is locked while a batch is worked on, and moves
-- in the transaction that did the work.
create table reader_positions (
    reader      text primary key,
    tx          bigint not null,
    id          bigint not null,
    -- Looking through what is stored, for what no event tells of: it goes on after this place; null: it is done.
    sweep_at    timestamptz,
    sweep_id    uuid,
    moved_at    timestamptz not null,
    constraint reader_positions_sweep_check check ((sweep_at is null) = (sweep_id is null))
);

create index tariff_assignments_site_idx on tariff_assignments (site_id) where site_id is not null;
create index tariff_assignments_station_idx on tariff_assignments (station_id) where station_id is not null;
create index tariff_assignments_group_idx on tariff_assignments (group_id) where group_id is not null;
create index odd_stops_transaction_idx on odd_stops (transaction_id) where transaction_id is not null;

-- The tariff version that holds for a charge: of the assignments that match, the narrowest; of equals the latest. An
-- assignment whose tariff says nothing yet, or is archived, does not hold. No row: no tariff holds.
create function tariff_version_at(of_site uuid, of_station uuid, of_evse integer, of_token text, instant timestamptz)
returns table (tariff_version_id uuid) language sql stable as $$
    select said.id
    from tariff_assignments a
    join tariffs t on t.id = a.tariff_id and (t.archived_at is null or t.archived_at > instant)
    left join id_tokens token on lower(token.token) = lower(of_token)
    cross join lateral (
        select v.id from tariff_versions v
        where v.tariff_id = a.tariff_id and v.valid_from <= instant
        order by v.valid_from desc, v.version desc limit 1) said
    where (a.site_id = of_site or a.station_id = of_station or a.group_id = token.group_id)
      and (a.site_id is null or a.site_id = of_site)
      and (a.station_id is null or a.station_id = of_station)
      and (a.evse is null or a.evse = of_evse)
      and (a.group_id is null or a.group_id = token.group_id)
      and a.valid_from <= instant and (a.valid_to is null or a.valid_to > instant)
    order by case when a.evse is not null then 1
                  when a.station_id is not null then 2
                  when a.group_id is not null and a.site_id is not null then 3
                  when a.group_id is not null then 4
                  else 5 end,
             a.valid_from desc, a.created_at desc, a.id desc
    limit 1
$$;

-- Prices by the hour that somebody else makes: an exchange, a supplier.
create table price_feeds (
    id              uuid primary key,
    name            text not null,
    kind            text not null constraint price_feeds_kind_check check (kind in ('csv', 'http')),
    -- The file's path, or the URL that answers with CSV.
    location        text not null,
    -- Of times that carry no offset themselves.
    time_zone       text not null,
    currency        text not null constraint price_feeds_currency_check check (currency ~ '^[A-Z]{3}$'),
    -- What the prices are of.
    unit            text not null constraint price_feeds_unit_check check (unit in ('kWh', 'MWh')),
    -- The names in the header line.
    time_column     text not null,
    price_column    text not null,
    separator       text not null default ',' constraint price_feeds_separator_check
                    check (separator in (',', ';', E'\t')),
    active          boolean not null default true,
    created_at      timestamptz not null,
    fetched_at      timestamptz,
    next_fetch_at   timestamptz,
    failures        integer not null default 0,
    last_error      text
);
create unique index price_feeds_name_key on price_feeds (lower(name));

create table price_feed_hours (
    feed_id      uuid not null references price_feeds on delete cascade,
    hour_start   timestamptz not null,
    -- Of a kWh, whatever the feed's unit.
    price        numeric not null,
    received_at  timestamptz not null,
    primary key (feed_id, hour_start)
);

-- A person has looked at a held price and lets it stand: the same sums again, as a price. The portal may do this and
-- nothing else to prices; whoever calls sees the row through a scope, or finds none. Null: there is no held price.
create function release_price(session uuid, note text, instant timestamptz) returns integer
language plpgsql security definer set search_path = public as $$
declare
    held session_prices;
begin
    perform pg_advisory_xact_lock(hashtext('session_prices'));
    select * into held from session_prices p where p.session_id = session order by revision desc limit 1;
    if held.state is distinct from 'held' or not (coalesce(current_setting('forecourt.sites', true), '') = '*'
                                                  or coalesce(scope_allows(held.site_id), false)) then
        return null;
    end if;
    held.revision := held.revision + 1;
    held.state := 'priced';
    held.computed_at := instant;
    held.reasons := held.reasons || ('released: ' || note);
    insert into session_prices select held.*;
    insert into events (at, kind, site_id, station_id, subject, detail)
    values (instant, 'session.priced', held.site_id, held.station_id, session,
            jsonb_build_object('revision', held.revision, 'state', held.state));
    return held.revision;
end $$;
