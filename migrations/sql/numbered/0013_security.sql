-- How stations prove who they are: passwords and profiles that were ordered but not yet seen, certificates.
-- Owner: csms, but for pending_credentials, which are written with the command that orders them.

-- What the CN of the station's certificate must be, to the letter; null: its identity.
alter table stations add column certificate_name text;
-- No two stations can be one certificate's.
create unique index stations_certificate_name_key on stations (coalesce(certificate_name, identity));

-- A password or a security profile that a station was, or will be, told to use. Both the old and the new one open the
-- door until the station first comes with the new one: whatever is killed in between, no charger is locked out. No foreign
-- key to the command: a command may be forgotten while nobody knows yet whether the station obeyed it.
create table pending_credentials (
    command_id        uuid primary key,
    station_id        uuid not null references stations on delete cascade,
    -- argon2 in PHC form.
    password_hash     text,
    security_profile  smallint constraint pending_credentials_profile_check check (security_profile between 1 and 3),
    created_at        timestamptz not null,
    constraint pending_credentials_one_check check (num_nonnulls(password_hash, security_profile) = 1)
);
create index pending_credentials_station_idx on pending_credentials (station_id, created_at);

-- What was never sent was never heard.
create function forget_unsent_credentials() returns trigger
language plpgsql security definer set search_path = public as $$
begin
    delete from pending_credentials where command_id = new.id;
    return null;
end $$;
create trigger commands_unsent_credentials after update of status on commands
    for each row when (old.status = 'queued' and new.status in ('expired', 'cancelled'))
    execute function forget_unsent_credentials();

-- The certificates that a station came in with (security profile 3).
create table client_certificates (
    station_id     uuid not null references stations on delete cascade,
    -- SHA-256 of the whole, hexadecimal.
    fingerprint    text not null,
    common_name    text not null,
    organisation   text not null,
    issuer         text not null,
    serial         text not null,
    not_before     timestamptz not null,
    not_after      timestamptz not null,
    first_used_at  timestamptz not null,
    last_used_at   timestamptz not null,
    primary key (station_id, fingerprint)
);

-- What stations ask to have signed (SignCertificate), and what became of it.
create table certificate_requests (
    id           uuid primary key,
    station_id   uuid not null references stations on delete cascade,
    request      text not null,
    status       text not null constraint certificate_requests_status_check
                 check (status in ('refused', 'signing', 'failed', 'queued', 'accepted', 'rejected')),
    -- For the operator: why it was refused, or what failed.
    detail       text not null default '',
    -- The chain that was issued, the station's own first; PEM.
    chain        text,
    not_after    timestamptz,
    -- The CertificateSigned that brings it.
    command_id   uuid,
    asked_at     timestamptz not null,
    ended_at     timestamptz
);
create index certificate_requests_station_idx on certificate_requests (station_id, asked_at desc);
-- One at a time.
create unique index certificate_requests_signing_key on certificate_requests (station_id) where status = 'signing';
create index certificate_requests_command_idx on certificate_requests (command_id) where command_id is not null;
