"""The states: what a function reads and writes besides its arguments.

Owns: `State`, the states of other libraries, what JAX remembers of them. Never touches: units,
derivatives.
"""
