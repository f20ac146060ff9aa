-- A station that loses its socket over a question is not asked it for ever: some reboot when they are asked for too much.
alter table commands
    -- How often the socket was lost while an answer was awaited.
    add column losses  smallint not null default 0;
