create table "My Table" ("Weird.Col" int, "select" text); create policy "p x" on "My Table" using (true);
