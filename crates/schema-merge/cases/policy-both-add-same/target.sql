create policy a on notes as permissive for select to anon using ((score > 1));
