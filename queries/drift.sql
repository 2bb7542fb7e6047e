-- Do solutions grow longer or shorter, by round and origin?
-- Blank where no tokens are counted: the oracle writes without a tokenizer.
SELECT round, origin, count(*) AS trajectories, round(avg(nullif(response_tokens, 0)), 1) AS mean_tokens,
       max(nullif(response_tokens, 0)) AS most_tokens, round(avg(len(steps)), 2) AS mean_steps,
       round(100.0 * avg((finish_reason = 'length')::INT), 2) AS cut_off_percent
FROM trajectories GROUP BY ALL ORDER BY ALL;
