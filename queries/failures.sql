-- Which requests failed, and why?
SELECT round, origin, error_kind, split_part(error, chr(10), 1) AS reason, count(*) AS requests
FROM trajectories WHERE error IS NOT NULL GROUP BY ALL ORDER BY requests DESC, round, origin;
