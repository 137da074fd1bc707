create materialized view m as select id, score from notes; create index m_score on m (score); grant select on m to anon;
