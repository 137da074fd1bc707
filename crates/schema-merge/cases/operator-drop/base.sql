create function lt(point, point) returns boolean language sql immutable as 'select $1[0] < $2[0]'; create operator <<< (function = lt, leftarg = point, rightarg = point);
