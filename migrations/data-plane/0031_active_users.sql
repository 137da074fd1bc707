-- as: owner
-- Users who were signed in, by month, and under which usage record each is counted.

create table system.active_users (
    month date not null,
    user_id uuid not null,
    -- The series of records and the first number of the batch; absent until it is counted.
    counted_by text,
    counted_in bigint,
    constraint active_users_pkey primary key (month, user_id)
);
create index active_users_uncounted_idx on system.active_users (month) where counted_in is null;
