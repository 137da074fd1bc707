drop index m_id; create index m_title on m (title);
