alter table t drop constraint u; alter table t add constraint u unique (a) deferrable initially deferred;
