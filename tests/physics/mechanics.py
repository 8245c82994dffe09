"""Mechanics: rows from the pendulum to the rocket, from atoms to planets."""

import brainunit as u

from .model import Model

G = u.constants.gravitational_constant
C = u.constants.speed_of_light
G0 = u.constants.standard_gravity


def projectile(speed, angle, gravity):
    rise = speed * u.math.sin(angle)
    flight = 2 * rise / gravity
    return {
        "range": (speed * u.math.cos(angle) * flight).in_unit(u.meter),
        "height": (rise**2 / gravity / 2).in_unit(u.foot),
        "flight": flight.in_unit(u.second),
    }


def relativistic_particle(mass, speed):
    beta = speed / C
    gamma = 1 / u.math.sqrt(1 - beta**2)
    return {
        "kinetic": ((gamma - 1) * mass * C**2).in_unit(u.eV),
        "momentum": gamma * mass * speed,
        "rapidity": u.math.arctanh(beta),
    }


def water_wave(wavenumber, depth, gravity, tension, density):
    restoring = gravity * wavenumber + tension * wavenumber**3 / density
    return {"frequency": u.math.sqrt(restoring * u.math.tanh(wavenumber * depth)).in_unit(u.hertz)}


def damped_oscillator(amplitude, decay, frequency, phase, time):
    envelope = amplitude * u.math.exp(-time / decay)
    angle = frequency * time + phase
    swing = u.math.sin(angle) * frequency + u.math.cos(angle) / decay
    return {
        "position": envelope * u.math.cos(angle),
        "velocity": (-envelope * swing).in_unit(u.meter / u.second),
    }


def venturi(drop, density, area, throat):
    speed = u.math.sqrt(2 * drop / density / (1 - (throat / area) ** 2))
    return {"flow": (throat * speed).in_unit(u.liter / u.minute), "speed": speed}


def point_masses(mass, position):
    total = u.math.sum(mass)
    center = mass @ position / total
    return {
        "center": center,
        "inertia": u.math.sum(mass * (position - center) ** 2),
    }


MECHANICS = [
    Model(
        name="pendulum",
        field="mechanics",
        parameters={
            "length": (75.0, "cm"),
            "gravity": (9.81, "m/s^2"),
            "amplitude": (20.0, "degree"),
        },
        outputs={"period": ("2*pi*sqrt(length/gravity)*(1 + amplitude**2/16)", "s")},
        function=lambda length, gravity, amplitude: {
            "period": (2 * u.math.pi * u.math.sqrt(length / gravity)).in_unit(u.second)
            * (1 + amplitude * amplitude / 16)
        },
    ),
    Model(
        name="kepler_orbit",
        field="mechanics",
        parameters={"axis": (5.2, "AU"), "mass": (1.989e9, "Yg")},
        outputs={
            "period": ("2*pi*sqrt(axis**3/(newton_G*mass))", "day"),
            "speed": ("sqrt(newton_G*mass/axis)", "km/s"),
        },
        function=lambda axis, mass: {
            "period": (2 * u.math.pi * axis * u.math.sqrt(axis / (G * mass))).in_unit(u.day),
            "speed": u.math.sqrt(G * mass / axis).in_unit(u.kmeter / u.second),
        },
    ),
    Model(
        name="attraction_in_hydrogen",
        field="mechanics",
        parameters={
            "electron": (5.48579909e-4, "u"),
            "proton": (1.00727647, "u"),
            "distance": (0.529, "angstrom"),
        },
        outputs={"force": ("newton_G*electron*proton/distance**2", "m^3*u^2/(kg*s^2*angstrom^2)")},
        function=lambda electron, proton, distance: {
            "force": G * electron * proton / distance**2,
        },
    ),
    Model(
        name="projectile",
        field="mechanics",
        parameters={
            "speed": (90.0, "km/hour"),
            "angle": (35.0, "degree"),
            "gravity": (9.81, "m/s^2"),
        },
        outputs={
            "range": ("speed**2*sin(2*angle)/gravity", "m"),
            "height": ("(speed*sin(angle))**2/(2*gravity)", "foot"),
            "flight": ("2*speed*sin(angle)/gravity", "s"),
        },
        function=projectile,
    ),
    Model(
        name="air_drag",
        field="mechanics",
        parameters={
            "density": (1.2, "g/l"),
            "coefficient": (0.3, "1"),
            "area": (2.2, "m^2"),
            "speed": (65.0, "mph"),
        },
        outputs={
            "force": ("density*coefficient*area*speed**2/2", "N"),
            "power": ("density*coefficient*area*speed**3/2", "hp"),
        },
        function=lambda density, coefficient, area, speed: {
            "force": (0.5 * density * speed**2 * area * coefficient).in_unit(u.newton),
            "power": (0.5 * density * speed**3 * area * coefficient).in_unit(u.hp),
        },
    ),
    Model(
        name="relativistic_particle",
        field="mechanics",
        parameters={"mass": (1.00727647, "u"), "speed": (2.0e5, "km/s")},
        outputs={
            "kinetic": ("(1/sqrt(1 - (speed/light)**2) - 1)*mass*light**2", "eV"),
            "momentum": ("mass*speed/sqrt(1 - (speed/light)**2)", "u*km/s"),
            "rapidity": ("atanh(speed/light)", "1"),
        },
        function=relativistic_particle,
    ),
    Model(
        name="water_wave",
        field="mechanics",
        parameters={
            "wavenumber": (3.7, "1/cm"),
            "depth": (0.2, "cm"),
            "gravity": (9.81, "m/s^2"),
            "tension": (72.8, "mN/m"),
            "density": (0.998, "g/cm^3"),
        },
        outputs={
            "frequency": (
                "sqrt((gravity*wavenumber + tension*wavenumber**3/density)*tanh(wavenumber*depth))",
                "Hz",
            )
        },
        function=water_wave,
    ),
    Model(
        name="damped_oscillator",
        field="mechanics",
        parameters={
            "amplitude": (4.0, "mm"),
            "decay": (250.0, "ms"),
            "frequency": (12.0, "Hz"),
            "phase": (25.0, "degree"),
            "time": (0.11, "s"),
        },
        outputs={
            "position": ("amplitude*exp(-time/decay)*cos(frequency*time + phase)", "mm"),
            "velocity": (
                "-amplitude*exp(-time/decay)*(cos(frequency*time + phase)/decay"
                " + frequency*sin(frequency*time + phase))",
                "m/s",
            ),
        },
        function=damped_oscillator,
    ),
    Model(
        name="stokes_settling",
        field="mechanics",
        parameters={
            "radius": (3.0, "um"),
            "particle": (2.65, "g/cm^3"),
            "fluid": (998.0, "kg/m^3"),
            "gravity": (9.81, "m/s^2"),
            "viscosity": (1.002, "mPa*s"),
        },
        outputs={"speed": ("2*(particle - fluid)*gravity*radius**2/(9*viscosity)", "mm/minute")},
        function=lambda radius, particle, fluid, gravity, viscosity: {
            "speed": (2 / 9 * (particle - fluid) * gravity * radius * radius / viscosity).in_unit(
                u.mmeter / u.minute
            )
        },
    ),
    Model(
        name="venturi",
        field="mechanics",
        parameters={
            "drop": (12.0, "torr"),
            "density": (0.998, "g/cm^3"),
            "area": (4.0, "cm^2"),
            "throat": (150.0, "mm^2"),
        },
        outputs={
            "flow": ("throat*sqrt(2*drop/(density*(1 - (throat/area)**2)))", "l/minute"),
            "speed": ("sqrt(2*drop/(density*(1 - (throat/area)**2)))", "torr^0.5*cm^1.5/g^0.5"),
        },
        function=venturi,
    ),
    Model(
        name="rocket",
        field="mechanics",
        parameters={
            "impulse": (311.0, "s"),
            "wet": (549.0e3, "kg"),
            "dry": (275.0e3, "lb"),
        },
        outputs={"gain": ("impulse*standard_gravity*log(wet/dry)", "km/s")},
        function=lambda impulse, wet, dry: {
            "gain": (G0 * impulse * u.math.log(wet / dry)).in_unit(u.kmeter / u.second)
        },
    ),
    Model(
        name="point_masses",
        field="mechanics",
        parameters={
            "mass": ((1.0, 2.5, 0.4), "kg"),
            "position": ((-30.0, 12.0, 55.0), "cm"),
        },
        outputs={
            "center": (
                "(mass[0]*position[0] + mass[1]*position[1] + mass[2]*position[2])"
                "/(mass[0] + mass[1] + mass[2])",
                "cm",
            ),
            "inertia": (
                "(mass[0]*mass[1]*(position[0] - position[1])**2"
                " + mass[0]*mass[2]*(position[0] - position[2])**2"
                " + mass[1]*mass[2]*(position[1] - position[2])**2)"
                "/(mass[0] + mass[1] + mass[2])",
                "kg*cm^2",
            ),
        },
        function=point_masses,
    ),
]
