"""Heat: rows of radiation, conduction and gases. Temperatures are in kelvin, without offset."""

import brainunit as u

from .model import Model

BOLTZMANN = u.constants.boltzmann
GAS = u.constants.gas
STEFAN = u.constants.stefan_boltzmann


def fin(base, ambient, transfer, conductivity, perimeter, section, length):
    rate = u.math.sqrt(transfer * perimeter / (conductivity * section))
    flow = conductivity * section * rate * (base - ambient) * u.math.tanh(rate * length)
    return {"flow": flow.in_unit(u.watt), "rate": rate.in_unit(u.meter**-1)}


def rod(temperature, conductivity, spacing, capacity):
    return {
        "flux": -conductivity * u.math.diff(temperature) / spacing,
        "energy": (capacity * spacing * u.math.sum(temperature)).in_unit(u.calorie / u.cmeter**2),
    }


def van_der_waals(volume, temperature, attraction, exclusion):
    ideal = (GAS * temperature / (volume - exclusion)).in_unit(u.atm)
    return {"pressure": ideal - attraction / volume**2}


HEAT = [
    Model(
        name="radiation_balance",
        field="heat",
        parameters={
            "emissivity": (0.85, "1"),
            "area": (400.0, "cm^2"),
            "hot": (650.0, "K"),
            "cold": (295.0, "K"),
        },
        outputs={"power": ("stefan*emissivity*area*(hot**4 - cold**4)", "W")},
        function=lambda emissivity, area, hot, cold: {
            "power": (
                STEFAN * area * emissivity * (hot - cold) * (hot + cold) * (hot**2 + cold**2)
            ).in_unit(u.watt)
        },
    ),
    Model(
        name="cooling_fin",
        field="heat",
        parameters={
            "base": (360.0, "K"),
            "ambient": (293.0, "K"),
            "transfer": (45.0, "W/(m^2*K)"),
            "conductivity": (2.05, "W/(cm*K)"),
            "perimeter": (4.2, "cm"),
            "section": (20.0, "mm^2"),
            "length": (6.0, "cm"),
        },
        outputs={
            "flow": (
                "sqrt(transfer*perimeter*conductivity*section)*(base - ambient)"
                "*tanh(length*sqrt(transfer*perimeter/(conductivity*section)))",
                "W",
            ),
            "rate": ("sqrt(transfer*perimeter/(conductivity*section))", "1/m"),
        },
        function=fin,
    ),
    Model(
        name="rod",
        field="heat",
        parameters={
            "temperature": ((300.0, 312.0, 341.0, 335.0), "K"),
            "conductivity": (80.0, "W/(m*K)"),
            "spacing": (2.0, "cm"),
            "capacity": (3.5, "J/(cm^3*K)"),
        },
        outputs={
            "flux": (
                (
                    "conductivity*(temperature[0] - temperature[1])/spacing",
                    "conductivity*(temperature[1] - temperature[2])/spacing",
                    "conductivity*(temperature[2] - temperature[3])/spacing",
                ),
                "W/(m*cm)",
            ),
            "energy": (
                "capacity*spacing"
                "*(temperature[0] + temperature[1] + temperature[2] + temperature[3])",
                "cal/cm^2",
            ),
        },
        function=rod,
    ),
    Model(
        name="ideal_gas",
        field="heat",
        parameters={
            "amount": (40.0, "mmol"),
            "temperature": (291.0, "K"),
            "volume": (0.8, "l"),
        },
        outputs={"pressure": ("amount*gas*temperature/volume", "atm")},
        function=lambda amount, temperature, volume: {
            "pressure": (GAS * temperature * (amount / volume)).in_unit(u.atm)
        },
    ),
    Model(
        name="van_der_waals",
        field="heat",
        parameters={
            "volume": (0.55, "l/mol"),
            "temperature": (320.0, "K"),
            "attraction": (3.59, "atm*l^2/mol^2"),
            "exclusion": (42.7, "ml/mol"),
        },
        outputs={
            "pressure": ("gas*temperature/(volume - exclusion) - attraction/volume**2", "atm")
        },
        function=van_der_waals,
    ),
    Model(
        name="entropy_of_heating",
        field="heat",
        parameters={
            "mass": (250.0, "g"),
            "heat_capacity": (0.997, "cal/(g*K)"),
            "start": (290.0, "K"),
            "end": (345.0, "K"),
        },
        outputs={
            "entropy": ("mass*heat_capacity*log(end/start)", "cal/K"),
            "carnot": ("1 - start/end", "1"),
        },
        function=lambda mass, heat_capacity, start, end: {
            "entropy": (mass * heat_capacity).in_unit(u.calorie / u.kelvin)
            * u.math.log1p((end - start) / start),
            "carnot": (end - start) / end,
        },
    ),
    Model(
        name="cooling_law",
        field="heat",
        parameters={
            "ambient": (294.0, "K"),
            "start": (368.0, "K"),
            "time": (7.5, "minute"),
            "decay": (0.4, "hour"),
        },
        outputs={"temperature": ("ambient + (start - ambient)*exp(-time/decay)", "K")},
        function=lambda ambient, start, time, decay: {
            "temperature": start * u.math.exp(-time / decay) - ambient * u.math.expm1(-time / decay)
        },
    ),
    Model(
        name="molecular_speed",
        field="heat",
        parameters={"temperature": (300.0, "K"), "molar_mass": (28.0134, "g/mol")},
        outputs={
            "mean": ("sqrt(8*gas*temperature/(pi*molar_mass))", "mph"),
            "energy": ("3*boltzmann*temperature/2", "eV"),
        },
        function=lambda temperature, molar_mass: {
            "mean": u.math.sqrt(8 * GAS * temperature / (u.math.pi * molar_mass)).in_unit(u.mph),
            "energy": (1.5 * BOLTZMANN * temperature).in_unit(u.eV),
        },
    ),
    Model(
        name="barometer",
        field="heat",
        parameters={
            "ground": (0.98, "atm"),
            "molar_mass": (28.9647, "g/mol"),
            "gravity": (9.81, "m/s^2"),
            "height": (14500.0, "foot"),
            "temperature": (268.0, "K"),
        },
        outputs={
            "pressure": ("ground*exp(-molar_mass*gravity*height/(gas*temperature))", "atm"),
            "scale_height": ("gas*temperature/(molar_mass*gravity)", "km"),
        },
        function=lambda ground, molar_mass, gravity, height, temperature: {
            "pressure": ground * u.math.exp(-height / (GAS * temperature / (molar_mass * gravity))),
            "scale_height": (GAS * temperature / molar_mass / gravity).in_unit(u.kmeter),
        },
    ),
]
