create table t (a text, b bigint, c timestamptz, d numeric);
