-- What a station does over minutes when it is asked to: it takes firmware, it sends its logs. And what it says of its
-- own security, and which certificates it holds.
-- Owner: csms, but for new jobs, images and tokens, which the portal writes.

-- The number that a station repeats in its notifications. OCPP's integer is one of 32 bits.
create sequence station_job_requests as integer;

-- What stations are given (firmware images) and what they send (logs). Only whole files are seen.
create table files (
    id            uuid primary key,
    kind          text not null constraint files_kind_check check (kind in ('firmware', 'log')),
    -- A log's; an image is for every site.
    station_id    uuid references stations on delete cascade,
    -- Ours, never the name that a station gave.
    name          text not null,
    version       text not null default '',
    size          bigint not null default 0,
    sha256        bytea,
    created_at    timestamptz not null,
    -- Null while it is being sent; what stays so is forgotten.
    completed_at  timestamptz,
    constraint files_station_check check ((kind = 'log') = (station_id is not null))
);
create index files_kind_idx on files (kind, created_at desc);
create index files_station_idx on files (station_id, created_at desc);

-- In pieces: nobody holds a whole image in memory. They are compressed already.
create table file_chunks (
    file_id  uuid not null references files on delete cascade,
    n        integer not null,
    bytes    bytea not null,
    primary key (file_id, n)
);
alter table file_chunks alter column bytes set storage external;

create table station_jobs (
    id              uuid primary key,
    station_id      uuid not null references stations on delete cascade,
    site_id         uuid references sites,
    kind            text not null constraint station_jobs_kind_check check (kind in ('firmware', 'log')),
    action          text not null constraint station_jobs_action_check check (action in
                    ('UpdateFirmware', 'SignedUpdateFirmware', 'GetDiagnostics', 'GetLog')),
    request_id      integer not null constraint station_jobs_request_key unique,
    -- The command that asks for it. Until it is answered the job is as far as that.
    command_id      uuid references commands on delete set null,
    -- The last word: Queued, the station's answer, then what it says of its progress, verbatim.
    state           text not null default 'Queued',
    state_at        timestamptz not null,
    ended_at        timestamptz,
    -- Set with ended_at.
    succeeded       boolean,
    -- Where the station was told to send or fetch it, without the credentials in it; null: here.
    location        text,
    -- GetLog's logType.
    log_type        text,
    -- What the station says that it sends.
    file_name       text,
    -- What it sent, or what it is to fetch.
    file_id         uuid references files on delete set null,
    -- Its firmware when it was asked, and what it booted with afterwards.
    from_version    text,
    booted_version  text,
    booted_at       timestamptz,
    actor_kind      text not null,
    actor_id        uuid,
    created_at      timestamptz not null
);
create index station_jobs_station_idx on station_jobs (station_id, kind, created_at desc, id desc);
create index station_jobs_created_idx on station_jobs (kind, created_at desc, id desc);
create index station_jobs_command_idx on station_jobs (command_id);
create index station_jobs_file_idx on station_jobs (file_id);

-- Every state with its time. A state that a station only repeats is counted.
create table station_job_events (
    id           uuid primary key,
    -- Null: the station spoke of no job that we know.
    job_id       uuid references station_jobs on delete cascade,
    station_id   uuid not null references stations on delete cascade,
    kind         text not null,
    -- The message that said so, or the command.
    source       text not null,
    state        text not null,
    detail       text,
    -- As the station said it, whatever it is.
    request_id   bigint,
    received_at  timestamptz not null,
    times        integer not null default 1,
    last_at      timestamptz not null
);
create index station_job_events_job_idx on station_job_events (job_id, received_at, id);
create index station_job_events_station_idx on station_job_events (station_id, kind, received_at desc);

-- One use each; only their hashes are kept.
create table file_tokens (
    sha256      bytea primary key,
    purpose     text not null constraint file_tokens_purpose_check check (purpose in ('upload', 'download')),
    job_id      uuid not null references station_jobs on delete cascade,
    expires_at  timestamptz not null,
    -- How often somebody came with it; an upload's is used up by the first whole file.
    uses        integer not null default 0,
    used_at     timestamptz
);
create index file_tokens_job_idx on file_tokens (job_id);
create index file_tokens_expires_idx on file_tokens (expires_at);

create table security_events (
    id           uuid primary key,
    station_id   uuid not null references stations on delete cascade,
    -- Verbatim, whether we know it or not.
    type         text not null,
    tech_info    text,
    -- The station's own time, if it can be believed.
    at           timestamptz,
    received_at  timestamptz not null,
    critical     boolean not null,
    -- Who saw it: the station, or we.
    source       text not null default 'station' constraint security_events_source_check
                 check (source in ('station', 'server'))
);
-- A station that heard no answer says it again.
create unique index security_events_key on security_events (station_id, at, source, md5(type || ' ' || coalesce(tech_info, '')));
create index security_events_station_idx on security_events (station_id, received_at desc, id desc);
create index security_events_received_idx on security_events (received_at desc, id desc);

-- The certificates of others that a station trusts, as far as we know.
create table installed_certificates (
    station_id        uuid not null references stations on delete cascade,
    -- ManufacturerRootCertificate, CentralSystemRootCertificate, …
    use               text not null,
    hash_algorithm    text not null,
    issuer_name_hash  text not null,
    issuer_key_hash   text not null,
    serial_number     text not null,
    -- Known of those that we installed.
    pem               text,
    -- When the station last said that it has it.
    seen_at           timestamptz not null,
    primary key (station_id, use, hash_algorithm, issuer_name_hash, issuer_key_hash, serial_number)
);

insert into retention_policies values
    ('station_jobs', 1095, 'which station got which firmware when'),
    ('station_job_events', 1095, 'the states of those, and what stations said of no job'),
    ('security_events', 1095, 'who tampered with a station is often asked late'),
    ('files', 90, 'logs of stations, for diagnosis; images stay until somebody removes them'),
    ('file_tokens', 30, 'an expired token opens nothing');
