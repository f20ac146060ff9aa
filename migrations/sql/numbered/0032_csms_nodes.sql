-- What each node of the csms can offer to chargers. The portal asks before it orders what no charger could come back by, and
-- tells people when a certificate ends. Owner: csms.
create table csms_nodes (
    node                    text primary key,
    started_at              timestamptz not null,
    -- The highest OCPP security profile that a charger can connect by.
    highest_profile         smallint not null constraint csms_nodes_profile_check check (highest_profile between 0 and 3),
    -- When the certificate that it shows to chargers ends; null without TLS.
    certificate_expires_at  timestamptz
);
