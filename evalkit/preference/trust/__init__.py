"""Can a board be trusted? Goodness of fit, sides, who met whom, cycles, and how few votes decide it."""
