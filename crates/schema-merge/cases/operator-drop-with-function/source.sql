drop operator <<< (point, point); drop function lt(point, point);
