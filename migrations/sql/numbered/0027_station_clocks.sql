-- How far a station's clock is from ours, as measured by what it says. Owner: csms.
create table station_clocks (
    station_id   uuid primary key references stations on delete cascade,
    -- Seconds that it is ahead of ours; negative where it is behind.
    skew_s       integer not null,
    measured_at  timestamptz not null
);
