alter type status rename to state;
