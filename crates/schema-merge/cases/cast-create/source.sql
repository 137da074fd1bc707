create cast (money_amount as text) with function money_text(money_amount);
create cast (money_amount as numeric) with function money_number(money_amount) as assignment;
create type mood as enum ('sad', 'happy');
create cast (text as mood) with inout as implicit;
create table days (m mood default 'sad', p money_amount);
create view numbers as select p::numeric as n from days;
comment on cast (money_amount as numeric) is 'amount only';
