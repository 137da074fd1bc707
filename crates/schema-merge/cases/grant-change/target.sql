grant delete on notes to anon; grant references on notes to authenticated with grant option;
