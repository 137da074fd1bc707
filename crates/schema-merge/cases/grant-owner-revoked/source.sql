revoke delete, truncate on notes from project_admin;
