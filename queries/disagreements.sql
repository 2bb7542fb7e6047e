-- Where do the answer check and the ORM disagree, and how sure is the ORM?
SELECT stage, round, answer_state, orm_status, count(*) AS trajectories,
       round(avg(p_correct), 3) AS mean_p_correct
FROM verdicts
WHERE (answer_state = 'match') <> (orm_status = 'correct') AND orm_status <> 'skipped'
GROUP BY ALL ORDER BY ALL;
