create view v as SELECT n.id, n.title FROM public.notes AS n WHERE (n.score > 1) AND (n.body IS NOT NULL);
