SELECT metric, version, config, weights, any_value(caveat) AS caveat, list(label ORDER BY position) AS labels
FROM metrics
GROUP BY metric, version, config, weights
ORDER BY metric;
