-- Which evaluation problems were wrong in the round before and are right now?
WITH steps AS (SELECT *, lag(correct) OVER rounds AS before
               FROM graded WHERE round NOT LIKE 'control%' AND round <> 'base'
               WINDOW rounds AS (PARTITION BY problem_id ORDER BY length(round), round))
SELECT s.round, s.split, s.problem_id, p.family, p.answer, p.question
FROM steps s JOIN problems p USING (problem_id)
WHERE s.correct AND NOT s.before ORDER BY ALL;
