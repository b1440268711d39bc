"""An edit laid over its source, and what can be measured once it lies there."""
