-- Roles, grants and row policies; run after the numbered migrations, as often as one likes, under an advisory lock.
-- Roles belong to the cluster and not to one database, which is why they are no migration.

do $$
declare room text;
begin
    foreach room in array array['forecourt_csms', 'forecourt_portal', 'forecourt_billing'] loop
        if not exists (select from pg_roles where rolname = room) then
            execute format('create role %I login nobypassrls', room);
        end if;
        execute format('grant %I to current_user', room);
    end loop;
end $$;

grant usage on schema public to forecourt_csms, forecourt_portal, forecourt_billing;
grant select, insert, update, delete on all tables in schema public to forecourt_csms, forecourt_billing;
grant usage on all sequences in schema public to forecourt_csms, forecourt_portal, forecourt_billing;

-- The portal reads everything (behind row policies) and writes what people own.
grant select on all tables in schema public to forecourt_portal;
grant insert, update, delete on
    sites, users, site_memberships, sign_in_codes, logins, api_keys, mail_outbox, id_tokens, refusals,
    authorize_attempts
    to forecourt_portal;
grant insert on audit_log, commands, tasks, events, jobs, stations to forecourt_portal;
grant update on stations, commands, tasks to forecourt_portal;
-- Those that nobody accepted may be forgotten (store::stations::forget).
grant delete on stations to forecourt_portal;
grant insert, update on legal_entities, customers, driver_groups, tariffs, tariff_assignments to forecourt_portal;
grant insert, update, delete on tag_mappings, holidays, price_feeds to forecourt_portal;
grant insert, delete on past_accounts to forecourt_portal;
grant insert on tariff_versions to forecourt_portal;
grant insert on sync_requests, lago_webhooks, session_corrections, legal_holds to forecourt_portal;
grant update (released_at) on legal_holds to forecourt_portal;
grant update on lago_webhooks, lago_gate to forecourt_portal;
grant insert on station_jobs, station_job_events, file_tokens to forecourt_portal;
grant insert, update, delete on files to forecourt_portal;
grant insert on file_chunks to forecourt_portal;
-- Whose hash is read may be tried.
revoke select on file_tokens from forecourt_portal;
grant update (status, reason) on lago_events to forecourt_portal;
grant update (billed_wh, finalised, flags, held, let_go, updated_at) on lago_sync_state to forecourt_portal;
grant insert, delete on pending_credentials to forecourt_portal;
revoke all on function forget_unsent_credentials() from public;
grant insert on reservations to forecourt_portal;
grant insert, update on local_lists to forecourt_portal;
grant insert, update, delete on configuration_templates, configuration_template_keys, configuration_template_uses,
    local_list_members to forecourt_portal;
-- What is written of the past stays written.
revoke update, delete on audit_log from forecourt_csms, forecourt_billing;
revoke update, delete on tariff_versions, session_tariffs, session_prices, session_corrections from forecourt_csms, forecourt_billing;

-- Of prices people may only release those that are held.
revoke all on function release_price(uuid, text, timestamptz) from public;
grant execute on function release_price(uuid, text, timestamptz) to forecourt_portal;

-- What is booked is booked: billing adds to it, and no room changes or takes away. Whole years are forgotten by
-- purge_vouchers(), which looks at the dates itself.
revoke insert, update, delete on invoices, invoice_sessions, invoice_lines, invoice_documents, invoice_events,
    invoiced_sessions, invoice_drafts, payments, number_series, ledger_accounts, ledger_entries, ledger_postings,
    ledger_heads, ledger_anchors, voucher_purges, voucher_retention, legal_holds, billing_requests from forecourt_csms;
revoke update, delete on invoices, invoice_sessions, invoice_lines, invoice_documents, invoice_events, payments,
    ledger_entries, ledger_postings, ledger_anchors, voucher_purges, voucher_retention from forecourt_billing;
revoke insert, delete on number_series, ledger_heads, ledger_accounts, voucher_retention from forecourt_billing;
revoke insert on voucher_purges from forecourt_billing;
revoke all on function purge_vouchers(uuid, text, integer, timestamptz) from public;
grant execute on function purge_vouchers(uuid, text, integer, timestamptz) to forecourt_billing;
grant insert on billing_requests to forecourt_portal;

-- The second wall: without a scope the portal's role sees no row that belongs to a site.
-- `forecourt.sites` is '*' (all), or a list of site ids; set per transaction by store::Scope.
create or replace function scope_allows(site uuid) returns boolean
language sql stable parallel safe as $$
    select case coalesce(current_setting('forecourt.sites', true), '')
        when '*' then true
        when '' then false
        else site = any (string_to_array(current_setting('forecourt.sites', true), ',')::uuid[])
    end
$$;

create or replace function scope_allows_station(station uuid) returns boolean
language sql stable parallel safe as $$
    select coalesce(current_setting('forecourt.sites', true), '') = '*'
        or exists (select from stations s where s.id = station and scope_allows(s.site_id))
$$;

-- Of what is about several sites, a reader of some sees what is about those alone; '*' sees what is about none, too.
create or replace function scope_allows_all(sites uuid[]) returns boolean
language sql stable parallel safe as $$
    select case coalesce(current_setting('forecourt.sites', true), '')
        when '*' then true
        when '' then false
        else cardinality(sites) > 0
            and sites <@ string_to_array(current_setting('forecourt.sites', true), ',')::uuid[]
    end
$$;

set client_min_messages = warning;
do $$
declare
    t text;
    by_site text[] := array['stations', 'transactions', 'charging_sessions', 'commands', 'events',
                            'energy_hourly', 'sessions_daily', 'session_prices', 'session_corrections', 'lago_sync_state',
                            'lago_events', 'station_jobs'];
    by_station text[] := array['authorize_attempts', 'station_log', 'station_presence', 'connectors', 'connector_history', 'odd_stops',
                               'meter_values', 'meter_values_odd', 'signed_meter_values', 'ocpp_messages',
                               'station_limits', 'station_clocks', 'station_job_events', 'security_events', 'installed_certificates',
                               'pending_credentials', 'client_certificates', 'certificate_requests'];
begin
    foreach t in array by_site || by_station loop
        execute format('alter table %I enable row level security', t);
        execute format('drop policy if exists rooms on %I', t);
        execute format('create policy rooms on %I to forecourt_csms, forecourt_billing using (true)', t);
        execute format('drop policy if exists scoped on %I', t);
        execute format('create policy scoped on %I to forecourt_portal using (%s)', t,
            case when t = any (by_site) then 'scope_allows(site_id)' else 'scope_allows_station(station_id)' end);
    end loop;
    -- A task is for whoever sees all its stations.
    execute 'alter table tasks enable row level security';
    execute 'drop policy if exists rooms on tasks';
    execute 'create policy rooms on tasks to forecourt_csms, forecourt_billing using (true)';
    execute 'drop policy if exists scoped on tasks';
    execute 'create policy scoped on tasks to forecourt_portal using (scope_allows_all(site_ids))';
    -- Invoices, and what hangs on one.
    foreach t in array array['invoices', 'invoice_sessions', 'invoice_lines', 'invoice_documents', 'invoice_events',
                             'payments'] loop
        execute format('alter table %I enable row level security', t);
        execute format('drop policy if exists rooms on %I', t);
        execute format('create policy rooms on %I to forecourt_csms, forecourt_billing using (true)', t);
        execute format('drop policy if exists scoped on %I', t);
        execute format('create policy scoped on %I for select to forecourt_portal using (%s)', t,
            case t when 'invoices' then 'scope_allows_all(site_ids)'
                   else 'exists (select from invoices i where i.id = invoice_id)' end);
    end loop;
    -- An image is for every site; a log is its station's.
    foreach t in array array['files', 'file_chunks'] loop
        execute format('alter table %I enable row level security', t);
        execute format('drop policy if exists rooms on %I', t);
        execute format('create policy rooms on %I to forecourt_csms, forecourt_billing using (true)', t);
        execute format('drop policy if exists scoped on %I', t);
        execute format('create policy scoped on %I to forecourt_portal using (%s)', t,
            case t when 'files' then 'station_id is null or scope_allows_station(station_id)'
                   else 'exists (select from files f where f.id = file_id)' end);
    end loop;
    -- Customers, what they owe and the books are for readers of everything.
    foreach t in array array['ledger_entries', 'ledger_postings', 'ledger_heads', 'ledger_anchors', 'ledger_accounts',
                             'number_series', 'invoice_drafts', 'invoiced_sessions', 'billing_requests', 'legal_holds',
                             'voucher_purges', 'customers', 'tag_mappings', 'past_accounts', 'sync_runs', 'sync_run_log', 'sync_requests',
                             'lago_webhooks', 'lago_link', 'lago_gate', 'lago_reconciliations'] loop
        execute format('alter table %I enable row level security', t);
        execute format('drop policy if exists rooms on %I', t);
        execute format('create policy rooms on %I to forecourt_csms, forecourt_billing using (true)', t);
        execute format('drop policy if exists scoped on %I', t);
        execute format('create policy scoped on %I to forecourt_portal using (scope_allows(null))', t);
    end loop;
    -- What is kept of a station, or chosen for a site; what is said of a model is for every reader of something.
    foreach t in array array['reservations', 'station_configuration', 'local_lists', 'local_list_entries',
                             'charging_profiles', 'charging_profile_answers', 'local_list_members',
                             'configuration_template_uses', 'configuration_templates', 'configuration_template_keys'] loop
        execute format('alter table %I enable row level security', t);
        execute format('drop policy if exists rooms on %I', t);
        execute format('create policy rooms on %I to forecourt_csms, forecourt_billing using (true)', t);
        execute format('drop policy if exists scoped on %I', t);
        execute format('create policy scoped on %I to forecourt_portal using (%s)', t, case
            when t = 'reservations' then 'scope_allows(site_id)'
            when t = 'configuration_templates' then
                'scope_allows(null) or exists (select from configuration_template_uses u where u.template_id = id)'
            when t = 'configuration_template_keys' then
                'exists (select from configuration_templates t where t.id = template_id)'
            when t in ('local_list_members', 'configuration_template_uses') then
                'case when station_id is not null then scope_allows_station(station_id) '
                'when site_id is not null then scope_allows(site_id) '
                'else coalesce(current_setting(''forecourt.sites'', true), '''') <> '''' end'
            else 'scope_allows_station(station_id)' end);
    end loop;
    -- A partition read by its own name would pass by the policies of its parent. (For the same reason the csms can COPY
    -- into one, which Postgres refuses where there are policies.)
    for t in select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid where c.relkind = 'r' loop
        execute format('revoke all on %I from forecourt_portal', t);
    end loop;
    -- Only a station that nobody accepted is forgotten, whatever a query says.
    execute 'drop policy if exists forgotten on stations';
    execute 'create policy forgotten on stations as restrictive for delete to forecourt_portal '
            'using (registration = ''pending'' and first_accepted_at is null)';
    execute 'alter table sites enable row level security';
    execute 'drop policy if exists rooms on sites';
    execute 'create policy rooms on sites to forecourt_csms, forecourt_billing using (true)';
    execute 'drop policy if exists scoped on sites';
    execute 'create policy scoped on sites to forecourt_portal using (scope_allows(id))';
end $$;
