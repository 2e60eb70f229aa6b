"""Crisis stage: online detectors, levels, incidents and what drives them."""
