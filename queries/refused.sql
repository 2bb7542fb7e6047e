-- Which right trajectories does the ORM refuse, and with what analysis?
SELECT v.round, v.trajectory_id, p.family, v.p_correct, v.error_step, v.kind AS error_kind,
       v.error_analysis
FROM named_errors v JOIN problems p USING (problem_id)
WHERE v.answer_state = 'match'
ORDER BY v.p_correct, v.trajectory_id LIMIT 50;
