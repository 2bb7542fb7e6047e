-- What became of the problems, by round?
SELECT round, state, count(*) AS problems,
       sum(attempts)::BIGINT AS attempts, sum(passes)::BIGINT AS passes
FROM ledger GROUP BY ALL ORDER BY round, problems DESC;
