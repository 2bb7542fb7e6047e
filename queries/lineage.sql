-- Where does each training row come from: trajectory, parent, verdict, model and problem?
SELECT r.round, r.row_id, r.problem_id, p.family, t.round AS written_in, t.origin,
       t.trajectory_id, t.parent_id,
       v.answer_state, v.orm_status, v.p_correct, t.model
FROM train r
JOIN trajectories t USING (trajectory_id)
JOIN verdicts v USING (trajectory_id)
JOIN problems p ON p.problem_id = r.problem_id
ORDER BY r.round, r.row_id;
