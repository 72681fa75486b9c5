"""What to do about the difference between what is there and what should be: pure decisions, each with a reason."""
