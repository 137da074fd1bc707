alter function f(int) immutable strict security definer parallel restricted cost 3 rows 9;
reset role;
alter function public.f(int) set "app.Setting" to 'it''s \ odd';
set role project_admin;
alter function f(int) set search_path to "$user", 'My Schema', '';
alter function f(int) set datestyle to 'iso, dmy';
alter function g(int) volatile called on null input cost 100 parallel unsafe reset all;
