create type "Order State" as enum ('new', 'it''s', 'a b', 'ÄÖ'); comment on type "Order State" is 'states'; grant usage on type "Order State" to anon;
