-- Sites, the people who look after them, and the keys of integrators.
-- Owner of every table here: portal.

create table sites (
    id          uuid primary key,
    name        text not null,
    -- IANA name; every time of the site is shown in it, none is stored in it.
    time_zone   text not null,
    created_at  timestamptz not null default now()
);
create unique index sites_name_key on sites (lower(name));

create table users (
    id          uuid primary key,
    email       text not null,
    name        text not null default '',
    role        text not null constraint users_role_check
                check (role in ('admin', 'operator', 'partner', 'driver')),
    active      boolean not null default true,
    created_at  timestamptz not null default now()
);
create unique index users_email_key on users (lower(email));

-- Whose rows a person may see. An admin sees all sites and needs no row here; no row means no data.
create table site_memberships (
    user_id     uuid not null references users on delete cascade,
    site_id     uuid not null references sites on delete cascade,
    role        text not null constraint site_memberships_role_check check (role in ('viewer', 'operator')),
    created_at  timestamptz not null default now(),
    primary key (user_id, site_id)
);

-- One-time codes of the sign-in mail. Only hashes are kept; a code works in the browser that asked for it.
create table sign_in_codes (
    id            uuid primary key,
    email         text not null,
    code_hash     bytea not null,
    browser_hash  bytea not null,
    tries         integer not null default 0,
    address       text not null default '',
    created_at    timestamptz not null,
    expires_at    timestamptz not null,
    used_at       timestamptz
);
create index sign_in_codes_email_idx on sign_in_codes (lower(email), created_at desc);

-- A login is a person's; the cookie holds the token, the row its SHA-256.
create table logins (
    token_hash    bytea primary key,
    user_id       uuid not null references users on delete cascade,
    created_at    timestamptz not null,
    last_seen_at  timestamptz not null,
    expires_at    timestamptz not null,
    address       text not null default '',
    user_agent    text not null default ''
);
create index logins_user_idx on logins (user_id);

create table api_keys (
    id            uuid primary key,
    name          text not null,
    -- The first characters of the key, so that a person can tell keys apart.
    prefix        text not null,
    key_hash      bytea not null constraint api_keys_key_hash_key unique,
    scopes        text[] not null constraint api_keys_scopes_check
                  check (scopes <@ array['read', 'control'] and cardinality(scopes) > 0),
    -- null: every site.
    site_ids      uuid[],
    created_at    timestamptz not null,
    last_used_at  timestamptz,
    expires_at    timestamptz,
    revoked_at    timestamptz
);

-- Append only: who did what to which thing.
create table audit_log (
    id          bigint generated always as identity primary key,
    at          timestamptz not null,
    actor_kind  text not null constraint audit_log_actor_kind_check
                check (actor_kind in ('user', 'api_key', 'cli', 'system')),
    actor_id    uuid,
    action      text not null,
    entity      text not null,
    detail      jsonb not null default '{}'
);
create index audit_log_entity_idx on audit_log (entity, at desc);

-- Mail waits here until it is delivered or given up; written in the transaction that has something to say.
create table mail_outbox (
    id            uuid primary key,
    recipient     text not null,
    subject       text not null,
    body_text     text not null,
    body_html     text,
    created_at    timestamptz not null,
    next_try_at   timestamptz not null,
    -- A sign-in code that is late is worthless; an invoice is not.
    give_up_at    timestamptz not null,
    tries         integer not null default 0,
    last_error    text,
    sent_at       timestamptz,
    gave_up       boolean not null default false
);
create index mail_outbox_due_idx on mail_outbox (next_try_at) where sent_at is null and not gave_up;
