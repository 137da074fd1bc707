create trigger g before update on notes for each row execute function g();
