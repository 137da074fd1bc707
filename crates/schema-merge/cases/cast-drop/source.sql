drop cast (money_amount as numeric);
