-- How many answers went from right or wrong to right or wrong, by round (the paper's Figure 2)?
SELECT round, split, before, after, n, round(100.0 * share, 1) AS percent
FROM transitions ORDER BY round, split, before, after;
