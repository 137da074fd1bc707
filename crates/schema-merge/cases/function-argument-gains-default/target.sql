comment on policy p on notes is 'kept'; comment on policy q on notes is 'kept too';
