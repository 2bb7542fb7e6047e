-- How many trajectories matched gold, passed the ORM and were accepted, by round and origin?
SELECT t.round, t.origin, count(*) AS trajectories,
       count(*) FILTER (v.answer_state = 'match') AS matched,
       count(*) FILTER (v.orm_status = 'correct') AS passed_orm,
       count(*) FILTER (v.accepted) AS accepted,
       round(100.0 * count(*) FILTER (v.accepted) / count(*), 1) AS accepted_percent
FROM trajectories t JOIN verdicts v USING (trajectory_id)
GROUP BY ALL ORDER BY ALL;
