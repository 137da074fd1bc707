create table logs_2025_b partition of logs_2025 for values in ('b', 'c'); create table logs_2026 partition of logs for values from ('2026-01-01') to ('2027-01-01');
