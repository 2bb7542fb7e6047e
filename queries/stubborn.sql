-- Which families of evaluation problems are wrong in every round?
WITH each AS (SELECT problem_id, split, bool_or(correct) AS ever
              FROM graded WHERE round NOT LIKE 'control%' GROUP BY ALL)
SELECT e.split, p.family, count(*) AS problems, count(*) FILTER (NOT e.ever) AS never_right,
       any_value(e.problem_id) FILTER (NOT e.ever) AS for_example
FROM each e JOIN problems p USING (problem_id)
GROUP BY ALL ORDER BY e.split, never_right DESC, p.family;
