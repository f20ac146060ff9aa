-- What stations of a model were found to bear: a fault of one is a fault of all, and none of them has to find it out anew.
-- Owner: csms.
create table model_habits (
    -- As in BootNotification, in lower case; a station without a model is of none.
    vendor        text not null,
    model         text not null,
    -- Keys that one GetConfiguration may ask for.
    keys_at_once  integer not null,
    learned_at    timestamptz not null,
    primary key (vendor, model)
);

alter table commands
    -- Not sent before this: a station that did not bear a question is given time.
    add column not_before  timestamptz;
