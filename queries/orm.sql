-- What does the ORM get wrong: right answers that it refuses, wrong ones that it passes?
SELECT round, stage, count(*) AS judged,
       count(*) FILTER (answer_state = 'match' AND orm_status <> 'correct') AS right_refused,
       count(*) FILTER (answer_state = 'mismatch' AND orm_status = 'correct') AS wrong_passed,
       round(100.0 * count(*) FILTER ((answer_state = 'match') = (orm_status = 'correct'))
             / count(*), 1) AS agreement_percent
FROM verdicts WHERE orm_status <> 'skipped' GROUP BY ALL ORDER BY ALL;
