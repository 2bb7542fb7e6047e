-- Which problems are still open after the most attempts?
SELECT l.problem_id, p.family, p.level, l.state, l.attempts, p.question
FROM ledger l JOIN problems p USING (problem_id)
WHERE l.state IN ('hard', 'remaining')
QUALIFY row_number() OVER (PARTITION BY l.problem_id ORDER BY l.attempts DESC, l.round DESC) = 1
ORDER BY l.attempts DESC, l.problem_id LIMIT 50;
