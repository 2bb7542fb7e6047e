-- What share of trajectories was accepted, by family and round?
SELECT p.family, t.origin, t.round, count(*) AS trajectories,
       round(100.0 * count(*) FILTER (v.accepted) / count(*), 1) AS accepted_percent
FROM trajectories t JOIN verdicts v USING (trajectory_id)
JOIN problems p ON p.problem_id = t.problem_id
GROUP BY ALL ORDER BY ALL;
