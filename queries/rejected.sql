-- Why were trajectories not accepted, by round and origin?
SELECT t.round, t.origin, v.reason, count(*) AS trajectories
FROM trajectories t JOIN verdicts v USING (trajectory_id)
WHERE NOT v.accepted
GROUP BY ALL ORDER BY t.round, t.origin, trajectories DESC;
