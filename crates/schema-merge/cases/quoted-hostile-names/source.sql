create type "sch; drop schema public; --"."com
posite" as ("at""tr" int, "user" text);
create type "sch; drop schema public; --"."rän""ge" as range (subtype = int4, multirange_type_name = "sch; drop schema public; --"."mültirange");
create collation "co""ll; --" (provider = libc, locale = 'C');
create table "sch; drop schema public; --"."table
); drop table x; --" ("from" "select" default E'\\''' collate "co""ll; --", "ç; --" "sch; drop schema public; --"."ty""pe" default E'back\\slash', "com" "sch; drop schema public; --"."com
posite", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk" int);
create function "sch; drop schema public; --"."f; (""x"")"("the ""arg" "select", "order" "sch; drop schema public; --"."ty""pe" default 'it''s') returns table ("out; --" int) language sql as 'select 1';
create view "view ""; --" as select "from", "ç; --" from "sch; drop schema public; --"."table
); drop table x; --";
create function "trig'ger"() returns trigger language plpgsql as 'begin return new; end';
create trigger "tr; "" --" before insert on "sch; drop schema public; --"."table
); drop table x; --" for each row execute function "trig'ger"('arg'';', E'\\');
create policy "po""l; --" on "sch; drop schema public; --"."table
); drop table x; --" for select to anon using ("from" <> ''';');
create index "ind""ex; --" on "sch; drop schema public; --"."table
); drop table x; --" ("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk");
create sequence "seq; --";
grant usage on sequence "seq; --" to anon;
grant select ("ç; --") on "view ""; --" to anon;
comment on type "sch; drop schema public; --"."ty""pe" is E'a\n-- b''; \\ $$';
comment on constraint "che""ck" on domain "select" is 'c';
comment on column "sch; drop schema public; --"."com
posite"."at""tr" is 'attribute';
alter type "sch; drop schema public; --"."ty""pe" add value E'new\n''label' before 'it''s';
