create type money_amount as (currency text, amount numeric);
create function money_eq(money_amount, money_amount) returns boolean language sql immutable as $$ select ($1).currency = ($2).currency and ($1).amount = ($2).amount $$;
create function money_ne(money_amount, money_amount) returns boolean language sql immutable as $$ select not (($1).currency = ($2).currency and ($1).amount = ($2).amount) $$;
create function money_text(money_amount) returns text language sql immutable as $$ select ($1).currency || ($1).amount $$;
create function money_number(money_amount) returns numeric language sql immutable as $$ select ($1).amount $$;

create operator === (function = money_eq, leftarg = money_amount, rightarg = money_amount, negator = !==);
create operator !== (function = money_ne, leftarg = money_amount, rightarg = money_amount, negator = ===);
create table prices (a money_amount, b money_amount);
create view same as select a operator(public.===) b as s from prices;
