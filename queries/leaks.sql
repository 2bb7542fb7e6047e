-- Which training problems does an evaluation split have too, and how was that found?
SELECT split, other_split, rule, count(DISTINCT problem_id) AS problems,
       round(avg(text), 2) AS mean_text, round(avg(picture), 2) AS mean_picture
FROM matches GROUP BY ALL ORDER BY ALL;
