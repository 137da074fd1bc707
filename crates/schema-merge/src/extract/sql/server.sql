select json_build_object('version', current_setting('server_version_num')::int)
