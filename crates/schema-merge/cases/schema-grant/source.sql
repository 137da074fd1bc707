grant usage on schema app to authenticated with grant option;
