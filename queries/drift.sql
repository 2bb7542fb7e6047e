-- Do solutions grow longer or shorter, by round and origin?
SELECT round, origin, count(*) AS trajectories, round(avg(response_tokens), 1) AS mean_tokens,
       max(response_tokens) AS most_tokens, round(avg(len(steps)), 2) AS mean_steps,
       round(100.0 * avg((finish_reason = 'length')::INT), 2) AS cut_off_percent
FROM trajectories GROUP BY ALL ORDER BY ALL;
