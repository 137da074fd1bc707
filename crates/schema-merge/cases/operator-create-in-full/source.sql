create operator === (function = money_eq, leftarg = money_amount, rightarg = money_amount, commutator = ===, negator = !==, restrict = eqsel, join = eqjoinsel);
create operator !== (function = money_ne, leftarg = money_amount, rightarg = money_amount, commutator = !==, negator = ===, restrict = neqsel, join = neqjoinsel);
create operator @- (function = money_number, rightarg = money_amount);
create table prices (a money_amount, b money_amount, constraint differ check (a operator(public.!==) b));
create view amounts as select operator(public.@-) a as n from prices;
comment on operator === (money_amount, money_amount) is 'equal';
comment on operator @- (none, money_amount) is 'amount';
