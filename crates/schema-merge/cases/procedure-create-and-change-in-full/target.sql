comment on procedure keep(int, int) is 'kept';
