select json_build_object(
  'wrappers', (select coalesce(json_agg(json_build_object(
         'oid', w.oid::bigint, 'name', quote_ident(w.fdwname), 'owner', quote_ident(pg_get_userbyid(w.fdwowner)), 'options', w.fdwoptions,
         'handler', (select quote_ident(n.nspname) || '.' || quote_ident(p.proname) from pg_proc p join pg_namespace n on n.oid = p.pronamespace where p.oid = w.fdwhandler),
         'validator', (select quote_ident(n.nspname) || '.' || quote_ident(p.proname) from pg_proc p join pg_namespace n on n.oid = p.pronamespace where p.oid = w.fdwvalidator))
         order by w.fdwname), '[]'::json) from pg_foreign_data_wrapper w),
  'servers', (select coalesce(json_agg(json_build_object(
         'oid', s.oid::bigint, 'name', quote_ident(s.srvname), 'owner', quote_ident(pg_get_userbyid(s.srvowner)), 'options', s.srvoptions,
         'wrapper', quote_ident(w.fdwname), 'type', s.srvtype, 'version', s.srvversion)
         order by s.srvname), '[]'::json) from pg_foreign_server s join pg_foreign_data_wrapper w on w.oid = s.srvfdw),
  'mappings', (select coalesce(json_agg(json_build_object(
         'oid', m.umid::bigint, 'server', m.srvid::bigint, 'options', m.umoptions,
         'role', case when m.umuser = 0 then 'public' else quote_ident(m.usename) end)
         order by m.umid), '[]'::json) from pg_user_mappings m))
