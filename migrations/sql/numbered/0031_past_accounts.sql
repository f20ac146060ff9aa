-- On whose account a token charged before its mapping changed: what was charged then is theirs to pay, also if the month is
-- only invoiced afterwards. Of several rows the first that ends after a session's start decides; none, and it is whoever
-- has the token today.
create table past_accounts (
    -- In lower case.
    id_token     text not null,
    customer_id  uuid not null references customers (id),
    until        timestamptz not null,
    primary key (id_token, until)
);
