comment on function old(int) is 'o';
