-- Which evaluation problems were right in the round before and are wrong now?
WITH steps AS (SELECT *, lag(correct) OVER rounds AS before, lag(round) OVER rounds AS from_round
               FROM graded WHERE round NOT LIKE 'control%' AND round <> 'base'
               WINDOW rounds AS (PARTITION BY problem_id ORDER BY length(round), round))
SELECT s.round, s.split, s.problem_id, p.family, p.answer, s.predicted_answer, s.answer_state,
       p.question
FROM steps s JOIN problems p USING (problem_id)
WHERE s.before AND NOT s.correct ORDER BY ALL;
