comment on policy p on notes is 'kept'; comment on trigger g on notes is 'kept'; grant select on over_v to anon;
