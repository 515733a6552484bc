"""A treatment step by step: programs, the session machine, the lease proof, and the controller that decides. Pure."""
