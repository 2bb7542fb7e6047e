-- Which mistakes did reflection correct, by round and kind of mistake?
SELECT t.round, coalesce(x.kind, 'not named') AS mistake, count(*) AS reflections,
       count(*) FILTER (v.answer_state = 'match') AS right_answers,
       count(*) FILTER (v.accepted) AS accepted,
       round(100.0 * count(*) FILTER (v.accepted) / count(*), 1) AS accepted_percent
FROM trajectories t JOIN verdicts v USING (trajectory_id)
LEFT JOIN named_errors x ON x.trajectory_id = t.parent_id
WHERE t.origin = 'reflection' GROUP BY ALL ORDER BY t.round, reflections DESC;
