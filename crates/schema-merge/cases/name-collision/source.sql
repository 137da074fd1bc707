create view thing as select 1 as one;
