comment on schema app is 'kept';
