-- Partitions by calendar month (UTC), made ahead and dropped by retention. There is no default partition:
-- a row that fits none is an error that must be seen, not a row that blocks the next partition. The functions run as
-- their owner: the rooms' roles own no table.

-- Makes the partitions of `parent` from the month of `since` to the month of `until`; answers how many it made.
create function ensure_partitions(parent text, since timestamptz, until timestamptz) returns integer
language plpgsql security definer set search_path = public as $$
declare
    month timestamp := date_trunc('month', since at time zone 'UTC');
    made integer := 0;
    part text;
begin
    -- Two processes may start at once.
    perform pg_advisory_xact_lock(hashtext('ensure_partitions:' || parent));
    while month <= until at time zone 'UTC' loop
        part := parent || to_char(month, '_YYYY_MM');
        if to_regclass(part) is null then
            execute format('create table %I partition of %I for values from (%L) to (%L)',
                part, parent, month::text || '+00', (month + interval '1 month')::text || '+00');
            made := made + 1;
        end if;
        month := month + interval '1 month';
    end loop;
    return made;
end $$;

-- Drops the partitions of `parent` that hold only rows before `horizon`; answers their names.
create function drop_partitions(parent text, horizon timestamptz) returns setof text
language plpgsql security definer set search_path = public as $$
declare
    part text;
begin
    for part in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = to_regclass(parent)
          and to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= horizon at time zone 'UTC'
        order by 1
    loop
        execute format('drop table %I', part);
        return next part;
    end loop;
end $$;

-- The words of the retention policy, for people and for the job that obeys it.
create table retention_policies (
    entity  text primary key,
    days    integer not null,
    why     text not null
);
insert into retention_policies values
    ('meter_values', 730, 'curves and disputes'),
    ('ocpp_messages', 90, 'diagnosis; frames carry id tokens'),
    ('events', 14, 'readers catch up long before'),
    ('connector_history', 730, 'uptime and fault lists'),
    ('refusals', 90, 'diagnosis'),
    ('sign_in_codes', 1, 'useless after ten minutes'),
    ('mail_outbox', 90, 'proof of delivery');
