-- Which right trajectories does the ORM refuse, and with what analysis?
SELECT v.round, v.trajectory_id, p.family, v.p_correct, v.error_step, v.error_kind,
       v.error_analysis
FROM verdicts v JOIN problems p USING (problem_id)
WHERE v.answer_state = 'match' AND v.orm_status = 'wrong'
ORDER BY v.p_correct, v.trajectory_id LIMIT 50;
