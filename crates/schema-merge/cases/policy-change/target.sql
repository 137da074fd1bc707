create policy e on notes for delete using (false);
