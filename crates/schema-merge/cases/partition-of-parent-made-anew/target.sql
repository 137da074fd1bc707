comment on table part is 'kept';
