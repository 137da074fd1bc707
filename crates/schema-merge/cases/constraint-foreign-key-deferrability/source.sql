alter table c alter constraint f deferrable initially deferred;
