alter table staff alter id set default 2; alter table staff alter name drop default; alter table staff alter name set not null;
