alter table notes disable trigger a; alter table notes enable replica trigger b; alter table notes enable trigger c;
