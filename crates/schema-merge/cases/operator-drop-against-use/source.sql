drop operator <<< (point, point);
