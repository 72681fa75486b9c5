"""What the operator may look after: its rights, its namespaces, and what others have claimed."""
