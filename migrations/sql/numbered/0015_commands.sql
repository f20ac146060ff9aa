-- Commands as people follow them: what the station said, what was seen to follow, and many of them as one task.

-- One action for many stations. Its progress is that of its commands. Owner: portal.
create table tasks (
    id            uuid primary key,
    action        text not null,
    payload       text not null,
    raw           boolean not null default false,
    stations      integer not null,
    -- Of all its stations; empty if one of them has none, so that only a reader of everything sees the task.
    site_ids      uuid[] not null,
    actor_kind    text not null,
    actor_id      uuid,
    created_at    timestamptz not null,
    expires_at    timestamptz not null,
    cancelled_at  timestamptz
);
create index tasks_created_idx on tasks (created_at desc, id desc);

alter table commands
    -- The `status` of the answer to the letter; null where the action's answer has none.
    add column verdict    text,
    -- The payload without what is secret in it; null if nothing is. It takes the payload's place when the command ends.
    add column shown      text,
    -- The message of the station that shows that the command had its effect.
    add column awaits     text,
    add column effect_at  timestamptz,
    add column rerun_of   uuid references commands on delete set null,
    add column task_id    uuid references tasks on delete set null;
create index commands_task_idx on commands (task_id, created_at, id) where task_id is not null;
create index commands_rerun_idx on commands (rerun_of) where rerun_of is not null;
create index commands_awaiting_idx on commands (sent_at)
    where awaits is not null and effect is null and status in ('answered', 'timeout', 'unknown');

insert into retention_policies values
    ('commands', 730, 'who asked a station for what, for as long as its sessions may be disputed'),
    ('tasks', 730, 'as long as the commands that it is made of');

-- What a station said that it cannot do: an action, or `TriggerMessage/` and a message. Nothing automatic asks for it again.
-- Owner: csms.
create table station_limits (
    station_id  uuid not null references stations on delete cascade,
    what        text not null,
    at          timestamptz not null,
    primary key (station_id, what)
);
