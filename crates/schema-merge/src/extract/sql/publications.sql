select json_build_object(
  'publications', (select coalesce(json_agg(json_build_object(
         'oid', p.oid::bigint, 'name', quote_ident(p.pubname), 'owner', quote_ident(pg_get_userbyid(p.pubowner)),
         'all_tables', p.puballtables, 'insert', p.pubinsert, 'update', p.pubupdate, 'delete', p.pubdelete, 'truncate', p.pubtruncate,
         'via_root', p.pubviaroot, 'generated_columns', to_jsonb(p)->>'pubgencols', 'all_sequences', to_jsonb(p)->>'puballsequences')
         order by p.pubname), '[]'::json) from pg_publication p),
  'tables', (select coalesce(json_agg(json_build_object(
         'oid', r.oid::bigint, 'publication', r.prpubid::bigint, 'relation', r.prrelid::bigint,
         'name', quote_ident(n.nspname) || '.' || quote_ident(c.relname),
         'columns', (select string_agg(quote_ident(a.attname), ', ' order by a.attname) from pg_attribute a
                     where a.attrelid = r.prrelid and a.attnum = any (r.prattrs)),
         'where', pg_get_expr(r.prqual, r.prrelid))
         order by r.oid), '[]'::json)
         from pg_publication_rel r join pg_class c on c.oid = r.prrelid join pg_namespace n on n.oid = c.relnamespace),
  'schemas', (select coalesce(json_agg(json_build_object(
         'oid', r.oid::bigint, 'publication', r.pnpubid::bigint, 'schema', quote_ident(n.nspname))
         order by r.oid), '[]'::json)
         from pg_publication_namespace r join pg_namespace n on n.oid = r.pnnspid))
