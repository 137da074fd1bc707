create view api."All Items" as select i.id, i."Unit Price" as price from "Order Items" i; create view api.cheap as select * from api."All Items" where price < 10;
