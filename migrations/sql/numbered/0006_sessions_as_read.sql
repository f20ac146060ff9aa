-- Charging sessions as people read them. What an active session has charged is in meter_values and nowhere else, so that
-- a sample is one row written and not two. The caller's row policies apply (security_invoker), not the owner's.
create view sessions_as_read with (security_invoker = true) as
select c.id, c.number, c.station_id, s.identity as station, c.site_id, p.name as site, p.time_zone, c.evse, c.connector,
       c.id_token, c.state, c.started_at, c.ended_at, c.stop_reason, c.flags,
       coalesce(c.energy_wh, live.energy_wh) as energy_wh,
       coalesce(c.max_power_w, live.max_power_w) as max_power_w,
       coalesce(c.soc_start, live.soc_start) as soc_start_pm,
       coalesce(c.soc_end, live.soc_end) as soc_end_pm,
       live.power_w, live.sampled_at
from charging_sessions c
left join stations s on s.id = c.station_id
left join sites p on p.id = c.site_id
left join lateral (
    select case when said.register >= x.meter_start_wh then said.register - x.meter_start_wh else said.range end as energy_wh,
           said.max_power_w, said.power_w, said.sampled_at,
           -- The same rules as for closing: a first 0 is not believed where the next reading is above 1.5 %.
           case when said.socs[1] = 0 and said.charged[1] > 15 then said.charged[1] else said.socs[1] end as soc_start,
           said.socs[array_upper(said.socs, 1)] as soc_end
    from transactions x
    cross join lateral (
        select (array_agg(m.energy_wh order by m.at desc) filter (where m.energy_wh is not null))[1] as register,
               max(m.energy_wh) - min(m.energy_wh) as range,
               max(m.power_w) as max_power_w,
               (array_agg(m.power_w order by m.at desc) filter (where m.power_w is not null))[1] as power_w,
               max(m.at) as sampled_at,
               array_agg(m.soc_pm order by m.at) filter (where m.soc_pm is not null) as socs,
               array_agg(m.soc_pm order by m.at) filter (where m.soc_pm > 0) as charged
        from meter_values m
        where m.station_id = x.station_id and m.transaction_id = x.id and m.at >= x.started_at - interval '1 day') said
    where x.id = c.id and c.state = 'active') live on true;
