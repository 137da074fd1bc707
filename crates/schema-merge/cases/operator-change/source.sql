alter operator === (money_amount, money_amount) set (restrict = contsel, join = none);
drop view amounts;
drop operator @- (none, money_amount);
create operator @- (function = money_text, rightarg = money_amount);
create view amounts as select operator(public.@-) a as n from prices;
grant select on amounts to anon;
