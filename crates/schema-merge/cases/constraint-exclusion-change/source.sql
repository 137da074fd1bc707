alter table r drop constraint x1; alter table r add constraint x1 exclude using gist (during with -|-) deferrable; alter table r drop constraint x2;
