-- An array in the order of rows::Trigger: building an object costs Postgres twice as much.
select coalesce(json_agg(json_build_array(
         t.oid::bigint, t.tgrelid::bigint, quote_ident(t.tgname),
         t.tgenabled, case when t.tgparentid = 0 then pg_get_triggerdef(t.oid) end,
         nullif(t.tgparentid, 0)::bigint, p.tgenabled)
         order by t.oid), '[]'::json)
from pg_trigger t
join pg_class c on c.oid = t.tgrelid
left join pg_trigger p on p.oid = t.tgparentid
-- A copy on a partition is said only where its state is not that of the trigger it is copied from.
where not t.tgisinternal and (t.tgparentid = 0 or p.tgenabled <> t.tgenabled) and c.relkind in ('r', 'v', 'p', 'f')
  and (c.relnamespace in ({user_schemas}) or c.oid in ({open_tables}))
