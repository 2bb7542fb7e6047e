-- Which general skills has each model kept, of those that the base model has?
SELECT skill, round, count(*) AS n, count(*) FILTER (correct) AS right_answers,
       round(100.0 * avg(correct::INT), 1) AS percent
FROM canary GROUP BY ALL ORDER BY ALL;
