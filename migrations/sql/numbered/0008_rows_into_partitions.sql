-- The csms copies rows into partitions by their own names (`store::copy`), so it needs a right on each of them. Those that
-- exist get it from roles.sql; new ones get it when they are made.
create or replace function ensure_partitions(parent text, since timestamptz, until timestamptz) returns integer
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
            if to_regrole('forecourt_csms') is not null then
                execute format('grant insert on %I to forecourt_csms', part);
            end if;
            made := made + 1;
        end if;
        month := month + interval '1 month';
    end loop;
    return made;
end $$;
