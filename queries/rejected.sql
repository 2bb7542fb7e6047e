-- Why were paths not accepted, by round and origin?
SELECT t.round, t.origin, v.reason, count(*) AS paths
FROM trajectories t JOIN verdicts v USING (trajectory_id)
WHERE NOT v.accepted
GROUP BY ALL ORDER BY t.round, t.origin, paths DESC;
