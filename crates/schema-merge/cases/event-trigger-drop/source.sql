reset role; drop event trigger watch; drop function public.note();
