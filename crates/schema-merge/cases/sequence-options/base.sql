create sequence s; create sequence r as smallint; select nextval('s');
