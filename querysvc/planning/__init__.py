"""From a checked statement to a plan: partitions, listing, guard, limits, estimate."""
