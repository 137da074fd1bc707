alter function f() security definer set search_path = '';
