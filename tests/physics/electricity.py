"""Electricity: rows of circuits, semiconductors, noise, fields and charged particles."""

import brainunit as u

from .model import Model

BOLTZMANN = u.constants.boltzmann
CHARGE = u.constants.elementary_charge
MAGNETIC = u.constants.magnetic


def charging(source, offset, resistance, capacitance, time):
    decay = u.math.exp(-time / (resistance * capacitance))
    return {
        "voltage": offset + source * (1 - decay),
        "current": (source / resistance * decay).in_unit(u.mA),
    }


def series_circuit(resistance, inductance, capacitance, frequency):
    reactance = frequency * inductance - 1 / (frequency * capacitance)
    return {
        "impedance": u.math.sqrt(resistance**2 + reactance**2).in_unit(u.ohm),
        "phase": u.math.arctan(reactance / resistance),
    }


def bridge(supply, resistance):
    left = resistance[1] / (resistance[0] + resistance[1])
    right = resistance[3] / (resistance[2] + resistance[3])
    return {"detector": supply * (left - right)}


def cyclotron(mass, charge, speed, field):
    frequency = charge * field / mass
    return {
        "radius": (speed / frequency).in_unit(u.cmeter),
        "frequency": (frequency / (2 * u.math.pi)).in_unit(u.kHz),
    }


ELECTRICITY = [
    Model(
        name="joule_heat",
        field="electricity",
        parameters={
            "voltage": (230.0, "V"),
            "resistance": (0.0529, "kohm"),
            "time": (3.0, "minute"),
        },
        outputs={
            "power": ("voltage**2/resistance", "V^2/kohm"),
            "heat": ("voltage**2/resistance*time", "cal"),
        },
        function=lambda voltage, resistance, time: {
            "power": voltage * voltage / resistance,
            "heat": (voltage * (voltage / resistance) * time).in_unit(u.calorie),
        },
    ),
    Model(
        name="capacitor_charging",
        field="electricity",
        parameters={
            "source": (5.0, "V"),
            "offset": (120.0, "mV"),
            "resistance": (4.7, "kohm"),
            "capacitance": (2.2, "uF"),
            "time": (8.0, "ms"),
        },
        outputs={
            "voltage": ("source*(1 - exp(-time/(resistance*capacitance))) + offset", "mV"),
            "current": ("source/resistance*exp(-time/(resistance*capacitance))", "mA"),
        },
        function=charging,
    ),
    Model(
        name="series_circuit",
        field="electricity",
        parameters={
            "resistance": (0.22, "kohm"),
            "inductance": (33.0, "mH"),
            "capacitance": (470.0, "nF"),
            "frequency": (12.0e3, "Hz"),
        },
        outputs={
            "impedance": (
                "sqrt(resistance**2 + (frequency*inductance - 1/(frequency*capacitance))**2)",
                "ohm",
            ),
            "phase": (
                "atan((frequency*inductance - 1/(frequency*capacitance))/resistance)",
                "1",
            ),
        },
        function=series_circuit,
    ),
    Model(
        name="diode",
        field="electricity",
        parameters={
            "saturation": (2.5, "nA"),
            "voltage": (540.0, "mV"),
            "ideality": (1.75, "1"),
            "temperature": (310.0, "K"),
        },
        outputs={
            "current": (
                "saturation*(exp(elementary_charge*voltage/(ideality*boltzmann*temperature)) - 1)",
                "nA",
            )
        },
        function=lambda saturation, voltage, ideality, temperature: {
            "current": saturation
            * u.math.expm1(voltage / (ideality * (BOLTZMANN * temperature / CHARGE)))
        },
    ),
    Model(
        name="thermal_and_shot_noise",
        field="electricity",
        parameters={
            "temperature": (295.0, "K"),
            "resistance": (10.0, "kohm"),
            "current": (40.0, "uA"),
        },
        outputs={
            "thermal": ("sqrt(4*boltzmann*temperature*resistance)", "J^0.5*kohm^0.5"),
            "shot": ("sqrt(2*elementary_charge*current)", "A/Hz^0.5"),
        },
        function=lambda temperature, resistance, current: {
            "thermal": 2 * u.math.sqrt(BOLTZMANN * temperature * resistance),
            "shot": u.math.sqrt(2 * CHARGE * current).in_unit(u.parse_unit("A/Hz^0.5")),
        },
    ),
    Model(
        name="screened_coulomb",
        field="electricity",
        parameters={
            "coupling": (14.3996, "eV*angstrom"),
            "distance": (2.5, "angstrom"),
            "screening": (0.43, "nm"),
        },
        outputs={
            "energy": ("coupling/distance*exp(-distance/screening)", "eV"),
            "force": (
                "coupling*exp(-distance/screening)*(1/distance**2 + 1/(distance*screening))",
                "eV/nm",
            ),
        },
        function=lambda coupling, distance, screening: {
            "energy": coupling * u.math.exp(-distance / screening) / distance,
            "force": (
                coupling
                / distance
                * u.math.exp(-distance / screening)
                * (1 / distance + 1 / screening)
            ).in_unit(u.eV / u.nmeter),
        },
    ),
    Model(
        name="skin_depth",
        field="electricity",
        parameters={"resistivity": (1.68e-2, "ohm*um"), "frequency": (2.4, "GHz")},
        outputs={"depth": ("sqrt(resistivity/(pi*frequency*magnetic))", "um")},
        function=lambda resistivity, frequency: {
            "depth": u.math.sqrt(resistivity / (u.math.pi * frequency * MAGNETIC)).in_unit(u.umeter)
        },
    ),
    Model(
        name="bridge",
        field="electricity",
        parameters={"supply": (2.5, "V"), "resistance": ((1.0, 1.3, 0.8, 2.1), "kohm")},
        outputs={
            "detector": (
                "supply*(resistance[1]*resistance[2] - resistance[0]*resistance[3])"
                "/((resistance[0] + resistance[1])*(resistance[2] + resistance[3]))",
                "V",
            )
        },
        function=bridge,
    ),
    Model(
        name="cyclotron",
        field="electricity",
        parameters={
            "mass": (39.962, "u"),
            "charge": (1.602176634e-10, "nC"),
            "speed": (120.0, "km/s"),
            "field": (350.0, "mT"),
        },
        outputs={
            "radius": ("mass*speed/(charge*field)", "cm"),
            "frequency": ("charge*field/(2*pi*mass)", "kHz"),
        },
        function=cyclotron,
    ),
]
