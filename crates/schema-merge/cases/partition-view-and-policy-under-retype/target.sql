comment on view part is 'kept';
