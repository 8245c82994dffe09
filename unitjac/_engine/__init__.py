"""The engine: derivatives of functions from lists of arrays to lists of arrays.

Owns: seeds, modes, how blocks are cut. Never touches: units, states, trees of the user.
"""
