alter schema app rename to application;
