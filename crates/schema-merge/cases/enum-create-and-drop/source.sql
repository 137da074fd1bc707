alter table t drop column k; drop type old_kind; create type new_kind as enum ('x', 'it''s'); alter table t add column n new_kind[] default array['x'::new_kind];
