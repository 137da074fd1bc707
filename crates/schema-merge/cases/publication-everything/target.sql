reset role; alter publication p add table s.v; create publication mine;
