alter view v rename to ids;
