-- Which accepted paths were left out of the training rows, and why?
SELECT round, reason, count(*) AS paths FROM dropped GROUP BY ALL ORDER BY ALL;
