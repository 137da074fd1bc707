alter materialized view m set (fillfactor = 70); alter materialized view m cluster on m_id; alter materialized view m alter column title set storage external;
