alter table notes disable trigger a;
