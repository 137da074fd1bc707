alter table t alter a drop default, alter a type boolean using a::boolean; alter table t alter a set default true;
