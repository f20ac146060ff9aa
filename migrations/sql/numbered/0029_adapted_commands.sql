-- A command that was made to fit its station just before it was sent: `payload` is what was sent.
alter table commands
    -- As it was ordered; null: it was sent as it was ordered.
    add column ordered  text,
    -- What was changed, for people.
    add column adapted  text;
