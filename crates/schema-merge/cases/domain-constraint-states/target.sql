comment on constraint a on domain d is 'kept'; alter domain d set not null;
