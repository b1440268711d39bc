SELECT suite, "case", prompt, task, source_sha, mask_sha, expected_text, edit_type FROM cases
WHERE run = $run AND list_contains($cases, suite || '/' || "case");
