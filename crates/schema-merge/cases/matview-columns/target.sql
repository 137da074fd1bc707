grant select on m to authenticated; create index m_b on m (b);
