create function all_notes() returns setof notes language sql security definer set search_path = '' as 'select * from public.notes';
