-- What a person decides of sessions that no machine may bill by itself.

-- What a session charged, as a person says: the meter was wrong, or said nothing. The newest counts. Owner: portal.
create table session_corrections (
    session_id    uuid not null,
    revision      integer not null,
    site_id       uuid,
    -- A thousand times what the largest truck takes.
    energy_wh     bigint not null constraint session_corrections_energy_check check (energy_wh between 0 and 1000000000),
    reason        text not null,
    actor_kind    text not null,
    actor_id      uuid,
    corrected_at  timestamptz not null,
    primary key (session_id, revision)
);
create index session_corrections_at_idx on session_corrections (corrected_at);
create trigger session_corrections_is_append_only before update or delete or truncate on session_corrections
    for each statement execute function refuse_change();

-- Why a session's usage is not told to Lago yet, and of what a person has said that it may be told all the same.
alter table lago_sync_state add column held text[] not null default '{}';
alter table lago_sync_state add column let_go text[] not null default '{}';
create index lago_sync_state_held_idx on lago_sync_state (updated_at desc) where held <> '{}';
alter table sync_runs add column held integer not null default 0;

-- Every session that waits for a person: its price is held, or it has no price here and its usage is.
create view held_sessions with (security_invoker = true) as
select p.session_id, p.site_id, p.computed_at as since, p.reasons, p.currency, p.total
from session_prices p
where p.state = 'held'
  and not exists (select from session_prices n where n.session_id = p.session_id and n.revision > p.revision)
union all
select s.session_id, s.site_id, s.updated_at, s.held, null, null
from lago_sync_state s
where s.held <> '{}' and not exists (select from session_prices p where p.session_id = s.session_id);

-- What transactions have metered, as far as it is billed: the stop's register, or what a person says instead.
create view metered_transactions with (security_invoker = true) as
select x.id, x.station_id, x.connector, x.started_at, x.meter_start_wh, x.stopped_at, x.stop_received_at, k.corrected_at,
       case when x.stopped_at is not null and k.energy_wh is not null then x.meter_start_wh + k.energy_wh
            else x.meter_stop_wh end as meter_stop_wh
from transactions x
left join lateral (
    select c.energy_wh, c.corrected_at from session_corrections c
    where c.session_id = x.id order by c.revision desc limit 1) k on true;
