comment on trigger changed on t is 'kept'; alter table t disable trigger changed;
