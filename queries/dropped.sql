-- Which accepted trajectories were left out of the training rows, and why?
SELECT round, reason, count(*) AS trajectories FROM dropped GROUP BY ALL ORDER BY ALL;
