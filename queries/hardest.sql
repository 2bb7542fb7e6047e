-- Which problems are still open after the most attempts?
WITH latest AS (SELECT *, row_number() OVER (PARTITION BY problem_id
                                             ORDER BY length(round) DESC, round DESC) AS age FROM ledger)
SELECT l.problem_id, p.family, p.level, l.state, l.attempts, p.question
FROM latest l JOIN problems p USING (problem_id)
WHERE l.age = 1 AND l.state IN ('hard', 'remaining')
ORDER BY l.attempts DESC, l.problem_id LIMIT 50;
