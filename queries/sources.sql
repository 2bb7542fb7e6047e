-- Where do the training rows come from: who wrote them, in which round, from which mistakes?
SELECT round, origin, written_in, parent_reason, count(*) AS row_count,
       count(DISTINCT problem_id) AS problems, round(avg(p_correct), 3) AS mean_p_correct
FROM lineage GROUP BY ALL ORDER BY ALL;
