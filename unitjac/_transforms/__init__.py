"""The transforms, and the way of one of their calls.

Owns: arguments, inputs, the traced function, the plan, compiled calls, and each public transform.
Never touches: seeds and sweeps, which are the engine's; the library of units, which `_units` knows.
"""
