"""The type Matrix: its making, its methods, its files."""
