drop view same; drop operator === (money_amount, money_amount);
