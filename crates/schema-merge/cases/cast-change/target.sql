comment on cast (money_amount as numeric) is 'amount';
