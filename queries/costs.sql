-- What did models behind an API take, by stage and role?
SELECT stage, role, sum(requests)::BIGINT AS requests, sum(failed)::BIGINT AS failed,
       sum(prompt_tokens)::BIGINT AS prompt_tokens, sum(response_tokens)::BIGINT AS response_tokens,
       round(sum(cost), 4) AS cost
FROM costs GROUP BY ALL ORDER BY ALL;
