-- Jobs that nobody answered yet: the csms looks every second which of them have no answer to come any more.
create index station_jobs_unanswered_idx on station_jobs (command_id) where state = 'Queued' and ended_at is null;
