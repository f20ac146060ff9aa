-- Ledger, invoices, payments, and how long vouchers are kept.
-- Owner: billing, which alone writes what is booked; the portal asks for it in `billing_requests`.

-- How the documents of a seller are numbered, and in which zone its months and days begin and end.
create sequence legal_entity_prefixes;
alter table legal_entities add column time_zone text not null default 'UTC';
alter table legal_entities add column number_prefix text not null default 'F' || nextval('legal_entity_prefixes')
    constraint legal_entities_number_prefix_check check (number_prefix ~ '^[A-Z0-9]{1,8}$');
-- Whether the statements of a month are issued by themselves when it is over.
alter table legal_entities add column issues_monthly boolean not null default true;
create unique index legal_entities_number_prefix_key on legal_entities (number_prefix);

-- The next number of each series. The row is locked by whoever issues: one at a time per legal entity, and a rollback
-- gives the number back, so that there is never a gap.
create table number_series (
    legal_entity_id  uuid not null references legal_entities,
    series           text not null constraint number_series_series_check check (series in ('invoice', 'credit_note')),
    next             bigint not null default 1,
    primary key (legal_entity_id, series)
);

-- What was issued: statements of a month, receipts of a session, corrections, and credit notes, whose amounts are
-- negative. A row never changes; whether it is paid, overdue or void follows from payments and credit notes.
create table invoices (
    id               uuid primary key,
    legal_entity_id  uuid not null references legal_entities,
    -- Null: somebody who walked in and asked for a receipt.
    customer_id      uuid references customers,
    kind             text not null constraint invoices_kind_check
                     check (kind in ('statement', 'receipt', 'correction', 'credit_note')),
    -- Of a statement: the first day of its month, in the seller's zone.
    month            date,
    series           text not null constraint invoices_series_check check (series in ('invoice', 'credit_note')),
    seq              bigint not null,
    number           text not null constraint invoices_number_key unique,
    currency         text not null,
    net              numeric not null,
    tax              numeric not null,
    total            numeric not null,
    tax_per          text not null,
    issued_at        timestamptz not null,
    -- In the seller's zone; due_at is the end of that day.
    issued_on        date not null,
    due_on           date not null,
    due_at           timestamptz not null,
    -- Of a credit note: what it takes back. Of a correction or a regenerated invoice: what it stands in for.
    corrects         uuid references invoices,
    replaces         uuid references invoices,
    reason           text not null default '',
    -- Who sold and who pays, as they were called on that day (billing::invoice::Party), to the letter.
    seller           text not null,
    buyer            text not null,
    -- Where its sessions were. A reader of some sites sees it only if they are all among those.
    site_ids         uuid[] not null,
    created_at       timestamptz not null,
    constraint invoices_seq_key unique (legal_entity_id, series, seq),
    constraint invoices_credit_check check ((kind = 'credit_note') = (series = 'credit_note')
        and (kind = 'credit_note') = (corrects is not null)),
    constraint invoices_sum_check check (net + tax = total)
);
-- One statement of a month, seller, customer and currency, however often it is asked for; what replaces one is another.
create unique index invoices_statement_key on invoices (legal_entity_id, customer_id, month, currency)
    where kind = 'statement' and replaces is null;
create index invoices_corrects_idx on invoices (corrects) where corrects is not null;
create index invoices_customer_idx on invoices (customer_id, issued_at desc);
create index invoices_issued_idx on invoices (issued_at desc, id desc);

-- The sessions that a document is about, as they were when it was issued.
create table invoice_sessions (
    invoice_id         uuid not null references invoices,
    position           integer not null,
    session_id         uuid not null,
    -- Of session_prices.
    revision           integer not null,
    site_id            uuid,
    site               text not null,
    time_zone          text not null,
    station            text not null,
    connector          integer not null,
    id_token           text not null,
    started_at         timestamptz not null,
    ended_at           timestamptz not null,
    energy_wh          bigint,
    register_start_wh  bigint,
    register_stop_wh   bigint,
    -- Do the unit prices of its lines include the tax?
    prices_include_tax boolean not null,
    -- sha256 of the signed meter values that the station sent, as hex.
    signed             text[] not null default '{}',
    -- Against all energy from the grid; null where that is not known.
    saved              numeric,
    primary key (invoice_id, position)
);
create index invoice_sessions_session_idx on invoice_sessions (session_id);

create table invoice_lines (
    invoice_id  uuid not null references invoices,
    line        integer not null,
    -- Of invoice_sessions.
    position    integer not null,
    kind        text not null,
    source      text,
    quantity    numeric not null,
    unit_price  numeric not null,
    tax_rate    numeric not null,
    net         numeric not null,
    tax         numeric not null,
    total       numeric not null,
    period_from timestamptz not null,
    period_to   timestamptz not null,
    primary key (invoice_id, line),
    constraint invoice_lines_sum_check check (net + tax = total)
);

-- The document itself, as it was sent.
create table invoice_documents (
    invoice_id  uuid primary key references invoices,
    sha256      bytea not null,
    pdf         bytea not null,
    made_at     timestamptz not null
);

-- Which session is on which live document, so that none is invoiced twice. It follows from the rows above: a credit
-- note frees its sessions. `verify` compares.
create table invoiced_sessions (
    session_id  uuid primary key,
    revision    integer not null,
    invoice_id  uuid not null references invoices
);
create index invoiced_sessions_invoice_idx on invoiced_sessions (invoice_id);

-- What would be issued now; made anew whenever somebody asks, gone when it is issued.
create table invoice_drafts (
    id               uuid primary key,
    legal_entity_id  uuid not null references legal_entities,
    customer_id      uuid not null references customers,
    month            date not null,
    currency         text not null,
    sessions         integer not null,
    net              numeric not null,
    tax              numeric not null,
    total            numeric not null,
    made_at          timestamptz not null,
    constraint invoice_drafts_key unique (legal_entity_id, customer_id, month, currency)
);

-- What was done with a document: issued, mailed, viewed as paid, overdue, credited …
create table invoice_events (
    id          bigint generated always as identity primary key,
    invoice_id  uuid not null references invoices,
    at          timestamptz not null,
    kind        text not null,
    actor_kind  text not null,
    actor_id    uuid,
    detail      jsonb not null default '{}'
);
create index invoice_events_invoice_idx on invoice_events (invoice_id, id);
-- Some things are said of a document once only, whoever notices them.
create unique index invoice_events_once_key on invoice_events (invoice_id, kind)
    where kind in ('issued', 'overdue');

-- Money that came, or went back (negative).
create table payments (
    id               uuid primary key,
    legal_entity_id  uuid not null references legal_entities,
    invoice_id       uuid not null references invoices,
    -- transfer: from one document of a customer to another, without money moving.
    method           text not null constraint payments_method_check
                     check (method in ('bank', 'cash', 'card', 'provider', 'transfer')),
    -- Whose reference it is: the name of a payment provider, or empty.
    provider         text not null default '',
    reference        text not null default '',
    amount           numeric not null constraint payments_amount_check check (amount <> 0),
    currency         text not null,
    received_on      date not null,
    recorded_at      timestamptz not null,
    actor_kind       text not null,
    actor_id         uuid,
    note             text not null default ''
);
create index payments_invoice_idx on payments (invoice_id);
create index payments_recorded_idx on payments (recorded_at desc, id desc);
-- A provider that tells the same payment twice is believed once.
create unique index payments_reference_key on payments (provider, reference) where provider <> '';

-- Accounts of each legal entity. The number is what its accountants call it.
create table ledger_accounts (
    legal_entity_id  uuid not null references legal_entities,
    account          text not null constraint ledger_accounts_account_check
                     check (account in ('receivable', 'revenue', 'tax', 'bank', 'cash', 'rounding')),
    number           text not null,
    primary key (legal_entity_id, account)
);
create function open_ledger_accounts() returns trigger language plpgsql security definer set search_path = public as $$
begin
    insert into ledger_accounts select new.id, a.account, a.number from (values
        ('receivable', '1200'), ('bank', '1000'), ('cash', '1010'), ('tax', '2200'), ('revenue', '4000'),
        ('rounding', '4990')) a (account, number);
    insert into number_series (legal_entity_id, series) values (new.id, 'invoice'), (new.id, 'credit_note');
    insert into ledger_heads (legal_entity_id, seq, hash) values (new.id, 0, sha256(convert_to(new.id::text, 'UTF8')));
    return null;
end $$;

-- Double entry, only ever added to. `hash` is the sha256 of the entry with its postings, what it is about, and the
-- hash before it (billing::ledger); `seq` counts without a gap.
create table ledger_entries (
    legal_entity_id  uuid not null references legal_entities,
    seq              bigint not null,
    at               timestamptz not null,
    kind             text not null constraint ledger_entries_kind_check
                     check (kind in ('invoice', 'credit_note', 'payment')),
    -- The invoice or payment.
    subject          uuid not null,
    version          integer not null default 1,
    -- The document's number, as exports name it.
    document         text not null,
    -- sha256 of what it is about: of an invoice all that is printed.
    content          bytea not null,
    prev_hash        bytea not null,
    hash             bytea not null,
    primary key (legal_entity_id, seq),
    constraint ledger_entries_key unique (kind, subject, version)
);
create index ledger_entries_at_idx on ledger_entries (legal_entity_id, at);

create table ledger_postings (
    legal_entity_id  uuid not null,
    seq              bigint not null,
    line             smallint not null,
    account          text not null,
    customer_id      uuid,
    -- Of revenue and tax.
    tax_rate         numeric,
    currency         text not null,
    -- Debit is positive, credit negative.
    amount           numeric not null,
    primary key (legal_entity_id, seq, line),
    foreign key (legal_entity_id, seq) references ledger_entries,
    foreign key (legal_entity_id, account) references ledger_accounts
);

-- The end of each chain. The row is locked by whoever adds to it.
create table ledger_heads (
    legal_entity_id  uuid primary key references legal_entities,
    seq              bigint not null,
    hash             bytea not null
);

-- Where each chain stood at the end of a day. The job that writes it also logs it, so that it exists elsewhere too.
create table ledger_anchors (
    legal_entity_id  uuid not null references legal_entities,
    day              date not null,
    seq              bigint not null,
    hash             bytea not null,
    made_at          timestamptz not null,
    primary key (legal_entity_id, day)
);

create trigger legal_entities_open_ledger after insert on legal_entities
    for each row execute function open_ledger_accounts();
insert into ledger_accounts select e.id, a.account, a.number from legal_entities e, (values
    ('receivable', '1200'), ('bank', '1000'), ('cash', '1010'), ('tax', '2200'), ('revenue', '4000'),
    ('rounding', '4990')) a (account, number);
insert into number_series (legal_entity_id, series)
    select e.id, s.series from legal_entities e, (values ('invoice'), ('credit_note')) s (series);
insert into ledger_heads select id, 0, sha256(convert_to(id::text, 'UTF8')) from legal_entities;

-- An entry balances in each currency, whoever writes it. Looked at when the transaction ends: postings come one by one.
create function ledger_must_balance() returns trigger language plpgsql as $$
begin
    if not exists (select from ledger_postings p
                   where p.legal_entity_id = new.legal_entity_id and p.seq = new.seq)
       or exists (select from ledger_postings p
                  where p.legal_entity_id = new.legal_entity_id and p.seq = new.seq
                  group by p.currency having sum(p.amount) <> 0) then
        raise exception 'entry % of % does not balance', new.seq, new.legal_entity_id
            using errcode = 'integrity_constraint_violation', constraint = 'ledger_must_balance';
    end if;
    return null;
end $$;
create constraint trigger ledger_entries_balance after insert on ledger_entries
    deferrable initially deferred for each row execute function ledger_must_balance();
create constraint trigger ledger_postings_balance after insert on ledger_postings
    deferrable initially deferred for each row execute function ledger_must_balance();

-- A document's lines add up to its total, whoever writes it.
create function invoice_must_add_up() returns trigger language plpgsql as $$
begin
    if (new.net, new.tax, new.total) is distinct from
       (select (coalesce(sum(l.net), 0), coalesce(sum(l.tax), 0), coalesce(sum(l.total), 0))
        from invoice_lines l where l.invoice_id = new.id) then
        raise exception 'the lines of % do not add up', new.number
            using errcode = 'integrity_constraint_violation', constraint = 'invoice_must_add_up';
    end if;
    return null;
end $$;
create constraint trigger invoices_add_up after insert on invoices
    deferrable initially deferred for each row execute function invoice_must_add_up();

-- How long vouchers are kept, in years from the end of the year they are of. '*' is every other country.
create table voucher_retention (
    country  text not null constraint voucher_retention_country_check check (country ~ '^([A-Z]{2}|\*)$'),
    what     text not null constraint voucher_retention_what_check check (what in ('invoices', 'books', 'letters')),
    years    integer not null constraint voucher_retention_years_check check (years between 1 and 50),
    why      text not null,
    primary key (country, what)
);
insert into voucher_retention values
    ('DE', 'invoices', 8, '§ 147 AO, § 257 HGB, § 14b UStG as of 2025'),
    ('DE', 'books', 10, '§ 147 AO, § 257 HGB'),
    ('DE', 'letters', 6, '§ 147 AO, § 257 HGB'),
    ('*', 'invoices', 10, 'no rule of the country is known here'),
    ('*', 'books', 10, 'no rule of the country is known here'),
    ('*', 'letters', 10, 'no rule of the country is known here');

-- While one is open, nothing that it covers is forgotten.
create table legal_holds (
    id               uuid primary key,
    -- Null: of every one.
    legal_entity_id  uuid references legal_entities,
    customer_id      uuid references customers,
    reason           text not null,
    held_from        timestamptz not null,
    released_at      timestamptz
);

-- What was forgotten by the rules above: the chain begins after it, and numbers up to there may be missing.
create table voucher_purges (
    legal_entity_id  uuid not null references legal_entities,
    what             text not null,
    year             integer not null,
    -- Up to which seq of each series (invoices) some went, or of the chain (books) all, and the chain's hash there.
    last_invoice     bigint not null default 0,
    last_credit_note bigint not null default 0,
    last_entry       bigint not null default 0,
    last_hash        bytea,
    rows             bigint not null,
    purged_at        timestamptz not null,
    primary key (legal_entity_id, what, year)
);

-- What people ask of billing. The portal inserts, billing does it and says how it went.
create table billing_requests (
    id           uuid primary key,
    kind         text not null,
    -- The invoice, session or legal entity that it is about.
    subject      uuid not null,
    detail       jsonb not null default '{}',
    actor_kind   text not null,
    actor_id     uuid,
    created_at   timestamptz not null,
    done_at      timestamptz,
    -- Why it was not done, in words for people; null: it was.
    refused      text,
    -- The document or payment that came of it.
    result       uuid
);
create index billing_requests_queue_idx on billing_requests (created_at, id) where done_at is null;
create index billing_requests_subject_idx on billing_requests (subject, created_at desc);

-- A mail about a document carries it, and is a business letter: it is kept as long as those.
alter table mail_outbox add column invoice_id uuid references invoices;
create index mail_outbox_invoice_idx on mail_outbox (invoice_id) where invoice_id is not null;

-- Nobody changes a voucher. Whole years are forgotten by purge_vouchers() alone.
create function refuse_change_but_purge() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('forecourt.purging', true) = 'on' then
        return null;
    end if;
    raise exception '% keeps what was written: % is refused', tg_table_name, lower(tg_op)
        using errcode = 'integrity_constraint_violation', constraint = tg_table_name || '_is_append_only';
end $$;
do $$
declare t text;
begin
    foreach t in array array['invoices', 'invoice_sessions', 'invoice_lines', 'invoice_documents', 'invoice_events',
                             'payments', 'ledger_entries', 'ledger_postings', 'ledger_anchors', 'voucher_purges'] loop
        execute format('create trigger %I before update or delete or truncate on %I
                        for each statement execute function refuse_change_but_purge()', t || '_is_append_only', t);
    end loop;
end $$;

-- The first instant at which what was written in `year` may be forgotten: its years counted from the year's end.
create function vouchers_free_at(entity uuid, of_what text, of_year integer) returns timestamptz
language sql stable as $$
    select make_timestamptz(of_year + 1 + r.years, 1, 1, 0, 0, 0, e.time_zone)
    from legal_entities e
    join lateral (select years from voucher_retention v where v.what = of_what and v.country in (e.country, '*')
                  order by v.country = '*' limit 1) r on true
    where e.id = entity
$$;

-- Forgets what a seller wrote in a year: 'invoices' (documents and their payments), 'books' (the ledger), 'letters'
-- (mails with documents). Refuses before the date, under a legal hold, and out of order. Done once: again does nothing.
create function purge_vouchers(entity uuid, of_what text, of_year integer, now timestamptz) returns bigint
language plpgsql security definer set search_path = public as $$
declare
    free_at timestamptz := vouchers_free_at(entity, of_what, of_year);
    zone text := (select time_zone from legal_entities where id = entity);
    ends timestamptz := make_timestamptz(of_year + 1, 1, 1, 0, 0, 0, zone);
    gone bigint := 0;
    doomed uuid[];
    kin uuid[];
    last_of_invoices bigint := 0;
    last_of_credit_notes bigint := 0;
    last_of_entries bigint := 0;
    hash_there bytea;
begin
    if exists (select from voucher_purges p
               where p.legal_entity_id = entity and p.what = of_what and p.year >= of_year) then
        return 0;
    end if;
    if free_at is null or now < free_at then
        raise exception '% of % are kept until %', of_what, of_year, free_at
            using errcode = 'integrity_constraint_violation', constraint = 'vouchers_are_kept';
    end if;
    if exists (select from legal_holds h where (h.legal_entity_id is null or h.legal_entity_id = entity)
                 and (h.released_at is null or h.released_at > now)
                 and (h.customer_id is null or exists (select from invoices i where i.legal_entity_id = entity
                        and i.customer_id = h.customer_id and i.issued_at < ends))) then
        raise exception '% of % are under a legal hold', of_what, of_year
            using errcode = 'integrity_constraint_violation', constraint = 'vouchers_are_held';
    end if;
    perform set_config('forecourt.purging', 'on', true);
    if of_what = 'letters' then
        delete from mail_outbox m using invoices i where m.invoice_id = i.id and i.legal_entity_id = entity
            and m.created_at < ends and (m.sent_at is not null or m.gave_up);
        get diagnostics gone = row_count;
    elsif of_what = 'invoices' then
        -- What belongs together goes together: an invoice that was paid, credited or replaced later stays until then.
        select array_agg(id) into doomed from invoices i where i.legal_entity_id = entity and i.issued_at < ends
            and not exists (select from payments p where p.invoice_id = i.id and p.recorded_at >= ends);
        loop
            select array_agg(i.id) into kin from invoices i where i.id = any (doomed) and not exists (
                select from invoices o where not (o.id = any (doomed))
                    and (o.id in (i.corrects, i.replaces) or i.id in (o.corrects, o.replaces)));
            exit when coalesce(cardinality(kin), 0) = coalesce(cardinality(doomed), 0);
            doomed := kin;
        end loop;
        select coalesce(max(seq) filter (where series = 'invoice'), 0),
               coalesce(max(seq) filter (where series = 'credit_note'), 0)
            into last_of_invoices, last_of_credit_notes from invoices where id = any (doomed);
        delete from invoice_lines where invoice_id = any (doomed);
        delete from invoice_sessions where invoice_id = any (doomed);
        delete from invoice_documents where invoice_id = any (doomed);
        delete from invoice_events where invoice_id = any (doomed);
        delete from payments where invoice_id = any (doomed);
        delete from invoiced_sessions where invoice_id = any (doomed);
        delete from mail_outbox where invoice_id = any (doomed);
        delete from invoices where id = any (doomed);
        get diagnostics gone = row_count;
    elsif of_what = 'books' then
        select max(seq) into last_of_entries from ledger_entries where legal_entity_id = entity and at < ends;
        select hash into hash_there from ledger_entries where legal_entity_id = entity and seq = last_of_entries;
        delete from ledger_postings where legal_entity_id = entity and seq <= last_of_entries;
        delete from ledger_entries where legal_entity_id = entity and seq <= last_of_entries;
        get diagnostics gone = row_count;
    else
        raise exception 'what are %?', of_what;
    end if;
    perform set_config('forecourt.purging', 'off', true);
    insert into voucher_purges (legal_entity_id, what, year, last_invoice, last_credit_note, last_entry, last_hash, rows, purged_at)
        values (entity, of_what, of_year, last_of_invoices, last_of_credit_notes, coalesce(last_of_entries, 0),
                hash_there, gone, now);
    return gone;
end $$;

-- Documents as people read them: with what was paid and credited. Open below zero: the customer has money to come.
create view invoices_as_read with (security_invoker = true) as
    select i.*, e.name as legal_entity, coalesce(c.name, '') as customer, coalesce(c.email, '') as customer_email,
           p.paid, k.credited, i.total + k.credited - p.paid as open
    from invoices i
    join legal_entities e on e.id = i.legal_entity_id
    left join customers c on c.id = i.customer_id
    cross join lateral (select coalesce(sum(amount), 0) as paid from payments where invoice_id = i.id) p
    cross join lateral (select coalesce(sum(total), 0) as credited from invoices where corrects = i.id) k;

-- Where a document stands, from its amounts and the time.
create function invoice_state(kind text, total numeric, credited numeric, open numeric, due_at timestamptz, now timestamptz)
returns text language sql immutable as $$
    select case when kind = 'credit_note' then 'credit_note'
                when total <> 0 and credited = -total then 'void'
                when open <= 0 then 'paid'
                when due_at <= now then 'overdue'
                else 'issued' end
$$;
