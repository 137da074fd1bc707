comment on index by_mood is 'kept'; comment on constraint not_sad on people is 'kept'; grant select on happy to anon;
