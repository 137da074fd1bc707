reset role; grant create, usage on schema ext to project_admin; alter extension citext set schema ext;
