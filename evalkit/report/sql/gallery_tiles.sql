SELECT g.suite, g."case", g.system, g.trial, g.status, g.kind, g.stage, g.reason, g.image, g.width, g.height, g.degraded
FROM generations g
WHERE g.run = $run AND list_contains($cases, g.suite || '/' || g."case")
QUALIFY row_number() OVER (PARTITION BY g.suite, g."case", g.system ORDER BY g.replicate) = 1
ORDER BY g.suite, g."case", g.system;
