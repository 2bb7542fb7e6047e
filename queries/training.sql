-- What are the training rows of each round made of?
SELECT round, added_in, origin, count(*) AS row_count, count(DISTINCT problem_id) AS problems,
       round(avg(length(response)), 0) AS mean_chars
FROM train GROUP BY ALL ORDER BY ALL;
