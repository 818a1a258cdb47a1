"""What the functions that solve, factorise and iterate have in common."""
