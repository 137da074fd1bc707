-- as: superuser
-- The user of internal work may see what all sessions do and what statements cost: the advisor reads it. Tenants' own roles may not.

do $$
begin
    execute format('grant pg_read_all_stats to %I', current_setting('hearth.owner'));
end
$$;
