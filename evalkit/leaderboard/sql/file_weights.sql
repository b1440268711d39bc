SELECT bool_or(weight <> 1) IS TRUE AS weighted FROM chosen_votes
