-- What does the ORM call wrong in the student's trajectories, by round and kind (the paper's Figure 4)?
WITH named AS (SELECT round, kind, count(*) AS n, any_value(error_analysis) AS for_example
               FROM named_errors WHERE stage = 'score' GROUP BY ALL)
SELECT round, kind, n, round(100.0 * n / sum(n) OVER (PARTITION BY round), 1) AS percent, for_example
FROM named ORDER BY round, n DESC;
