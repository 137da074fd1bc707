alter table p rename to q;
