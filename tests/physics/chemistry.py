"""Chemistry: rows of rates, equilibria, electrodes and solutions."""

import brainunit as u

from .model import Model

BOLTZMANN = u.constants.boltzmann
FARADAY = u.constants.faraday
GAS = u.constants.gas
PLANCK = u.constants.planck


def cell_voltage(standard, electrons, oxidant, reductant, drop, temperature):
    thermal = GAS * temperature / FARADAY
    return {"voltage": standard + thermal / electrons * u.math.log(oxidant / reductant) - drop}


def inhibited_enzyme(limit, substrate, half, inhibitor, affinity, hill):
    load = u.math.exp(hill * u.math.log(half / substrate)) * (1 + inhibitor / affinity)
    return {"rate": limit / (1 + load), "occupancy": 1 / (1 + load)}


def ionic_solution(screening, charge, strength):
    logarithm = -screening * charge**2 * u.math.sqrt(strength)
    return {"activity": 10**logarithm, "logarithm": logarithm}


def chain(concentration, first, second):
    consumed = first * concentration[0]
    passed = second * concentration[1]
    return {"rate": u.math.stack([-consumed, consumed - passed, passed])}


def transition_state(temperature, enthalpy, entropy):
    barrier = enthalpy / (GAS * temperature) - entropy / GAS
    return {"rate": (BOLTZMANN * temperature / PLANCK * u.math.exp(-barrier)).in_unit(u.hertz)}


CHEMISTRY = [
    Model(
        name="arrhenius",
        field="chemistry",
        parameters={
            "prefactor": (3.0e11, "1/minute"),
            "energy": (12.4, "cal/mmol"),
            "temperature": (330.0, "K"),
        },
        outputs={"rate": ("prefactor*exp(-energy/(gas*temperature))", "Hz")},
        function=lambda prefactor, energy, temperature: {
            "rate": (prefactor * u.math.exp(-energy / GAS / temperature)).in_unit(u.hertz)
        },
    ),
    Model(
        name="cell_voltage",
        field="chemistry",
        parameters={
            "standard": (1.1, "V"),
            "electrons": (2.0, "1"),
            "oxidant": (0.15, "M"),
            "reductant": (2.0, "mM"),
            "drop": (35.0, "mV"),
            "temperature": (298.0, "K"),
        },
        outputs={
            "voltage": (
                "standard - gas*temperature/(electrons*faraday)*log(reductant/oxidant) - drop",
                "V",
            )
        },
        function=cell_voltage,
    ),
    Model(
        name="inhibited_enzyme",
        field="chemistry",
        parameters={
            "limit": (14.0, "uM/minute"),
            "substrate": (0.09, "mM"),
            "half": (60.0, "uM"),
            "inhibitor": (25.0, "nM"),
            "affinity": (0.04, "uM"),
            "hill": (1.8, "1"),
        },
        outputs={
            "rate": (
                "limit*(substrate/half)**hill/((substrate/half)**hill + 1 + inhibitor/affinity)",
                "uM/minute",
            ),
            "occupancy": (
                "(substrate/half)**hill/((substrate/half)**hill + 1 + inhibitor/affinity)",
                "1",
            ),
        },
        function=inhibited_enzyme,
    ),
    Model(
        name="ionic_solution",
        field="chemistry",
        parameters={
            "screening": (0.509, "l^0.5/mol^0.5"),
            "charge": (2.0, "1"),
            "strength": (10.0, "mM"),
        },
        outputs={
            "activity": ("10**(-screening*charge**2*sqrt(strength))", "1"),
            "logarithm": ("-screening*charge**2*sqrt(strength)", "1"),
        },
        function=ionic_solution,
    ),
    Model(
        name="weak_acid",
        field="chemistry",
        parameters={"dissociation": (17.5, "uM"), "acid": (0.08, "M")},
        outputs={
            "protons": ("sqrt(dissociation*acid)", "uM^0.5*M^0.5"),
            "pH": ("-log(sqrt(dissociation*acid)/molar)/log(10)", "1"),
        },
        function=lambda dissociation, acid: {
            "protons": u.math.sqrt(dissociation * acid),
            "pH": -0.5 * u.math.log10(dissociation * acid / u.molar**2),
        },
    ),
    Model(
        name="chain_reaction",
        field="chemistry",
        parameters={
            "concentration": ((1.4, 0.35, 0.1), "mM"),
            "first": (0.2, "1/s"),
            "second": (4.5, "1/minute"),
        },
        outputs={
            "rate": (
                (
                    "-first*concentration[0]",
                    "first*concentration[0] - second*concentration[1]",
                    "second*concentration[1]",
                ),
                "mM/s",
            )
        },
        function=chain,
    ),
    Model(
        name="half_order_rate",
        field="chemistry",
        parameters={
            "constant": (0.6, "1/(mM^0.5*s)"),
            "chain": (40.0, "uM"),
            "monomer": (0.9, "mM"),
        },
        outputs={"rate": ("constant*sqrt(chain)*monomer", "uM^0.5*mM^0.5/s")},
        function=lambda constant, chain, monomer: {"rate": constant * chain**0.5 * monomer},
    ),
    Model(
        name="transition_state",
        field="chemistry",
        parameters={
            "temperature": (315.0, "K"),
            "enthalpy": (74.0, "kJ/mol"),
            "entropy": (-6.5, "cal/(mol*K)"),
        },
        outputs={
            "rate": (
                "boltzmann*temperature/planck*exp(entropy/gas)*exp(-enthalpy/(gas*temperature))",
                "Hz",
            )
        },
        function=transition_state,
    ),
    Model(
        name="diffusion_limit",
        field="chemistry",
        parameters={
            "temperature": (298.0, "K"),
            "viscosity": (0.89, "mPa*s"),
            "radius": (2.1, "nm"),
            "time": (4.0, "minute"),
        },
        outputs={
            "coefficient": ("boltzmann*temperature/(6*pi*viscosity*radius)", "um^2/s"),
            "spread": ("sqrt(boltzmann*temperature*time/(3*pi*viscosity*radius))", "um"),
        },
        function=lambda temperature, viscosity, radius, time: {
            "coefficient": (BOLTZMANN * temperature / (6 * u.math.pi * viscosity * radius)).in_unit(
                u.umeter**2 / u.second
            ),
            "spread": u.math.sqrt(
                BOLTZMANN * temperature / (3 * u.math.pi * viscosity * radius) * time
            ).in_unit(u.umeter),
        },
    ),
]
