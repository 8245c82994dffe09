"""The quantity layer: units come off here, and are put back on here.

Owns: what a quantity is, its magnitude and unit, the unit of a block, the text of a unit. Never
touches: states, derivatives.
"""
