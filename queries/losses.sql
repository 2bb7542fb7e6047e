-- How did each training begin and end?
SELECT round, max(step) AS steps, arg_min(loss, step) AS first_loss, arg_max(loss, step) AS last_loss,
       min(loss) AS lowest_loss
FROM curves GROUP BY ALL ORDER BY ALL;
