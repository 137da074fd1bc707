drop view numbers;
drop cast (money_amount as numeric);
create cast (money_amount as numeric) with function money_number(money_amount) as implicit;
create view numbers as select p::numeric as n from days;
