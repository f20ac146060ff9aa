-- What rollups and retention need. BRIN: rows arrive in the order of their receipt, so that a few kilobytes find the
-- new ones, and writing them costs next to nothing.
create index meter_values_received_idx on meter_values using brin (received_at);
create index transactions_start_received_idx on transactions using brin (start_received_at);
create index transactions_stop_received_idx on transactions using brin (stop_received_at);

insert into retention_policies values
    ('logins', 1, 'an expired login opens nothing'),
    ('jobs', 30, 'diagnosis of slow work');
