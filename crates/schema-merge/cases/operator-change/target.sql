comment on operator === (money_amount, money_amount) is 'equal';
