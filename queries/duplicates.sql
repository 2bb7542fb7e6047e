-- How often does the student write the same text again, by round?
WITH texts AS (SELECT round, problem_id, response, count(*) AS n
               FROM trajectories WHERE origin = 'student' GROUP BY ALL)
SELECT round, sum(n)::BIGINT AS trajectories, count(*) AS different,
       round(100.0 * (sum(n) - count(*)) / sum(n), 1) AS repeated_percent,
       max(n) AS most_of_one_text
FROM texts GROUP BY ALL ORDER BY ALL;
