create table p (id int primary key); create table t (a int); create function log() returns trigger language plpgsql as 'begin return null; end';
