-- How accurate is each round in each family of the evaluation problems?
SELECT p.family, g.split, g.round, count(*) AS n,
       round(100.0 * avg(g.correct::INT), 1) AS accuracy_percent
FROM graded g JOIN problems p USING (problem_id)
GROUP BY ALL ORDER BY ALL;
