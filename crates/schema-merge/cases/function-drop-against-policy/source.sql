drop function ok();
