alter table t add constraint u unique using index u;
