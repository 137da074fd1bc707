create type span as range (subtype = integer);
create table stays (id int, s span, m span_multirange, l span[], constraint apart exclude using gist (s with &&));
create index stays_s on stays using gist (s);
create view starts as select lower(s) as l from stays;
insert into stays values (1, '[1,5)', '{[1,2)}', array[span(1,2)]), (2, '[5,9)', null, null);
comment on type span is 'kept';
comment on type span_multirange is 'kept too';
