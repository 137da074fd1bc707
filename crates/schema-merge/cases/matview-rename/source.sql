alter materialized view m rename to titles; alter materialized view titles rename column title to heading;
