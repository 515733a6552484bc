"""What skin is made of: layers with their properties, and the zones of the face as stacks of layers.

Knows no grid, no time and no limits. Properties do not change with temperature; perfusion is scaled by the caller.
Sources: [K] conductivities, PMC5459687 table 4; [U] ultrasound of facial skin, PMC9205051 table 2; [C] Chopra 2015,
histology of the face; [F] ultrasound of superficial facial fat, Yonsei; [I] IT'IS tissue database v4 with McIntosh and
Anderson 2010, quoted from memory and to be checked; the rest is marked *engineering default*. None is a client's.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from cryodevice.errors import QuantityError
from cryodevice.quantities import finite

BLOOD_HEAT_CAPACITY_J_M3K = 1050.0 * 3617.0
"""Density times specific heat of blood ([I]: 1050 kg/m3, 3617 J/kg K)."""

DEEP_DEGC = 36.8
"""Temperature under the last layer and of arterial blood, degC (engineering default: core temperature at rest)."""

_LARGEST = 1e9


@dataclass(frozen=True, slots=True)
class Layer:
    """One homogeneous layer parallel to the surface.

    Args:
        name: For messages and plots.
        thickness_m: Metres, > 0.
        conductivity_w_mk: W/m K, > 0.
        density_kg_m3: kg/m3, > 0.
        specific_heat_j_kgk: J/kg K, > 0.
        perfusion_1_s: Volume of blood per volume of tissue and second, 1/s, >= 0.
        metabolic_w_m3: Heat made by the tissue, W/m3, >= 0.

    Raises:
        QuantityError: A number is not finite or not in its range.
    """

    name: str
    thickness_m: float
    conductivity_w_mk: float
    density_kg_m3: float
    specific_heat_j_kgk: float
    perfusion_1_s: float
    metabolic_w_m3: float

    def __post_init__(self) -> None:
        for what in ("thickness_m", "conductivity_w_mk", "density_kg_m3", "specific_heat_j_kgk"):
            if finite(getattr(self, what), f"{what} of layer {self.name}", 0.0, _LARGEST) == 0.0:
                raise QuantityError(f"{what} of layer {self.name} is 0; it must be greater", what=what, value=0.0)
        for what in ("perfusion_1_s", "metabolic_w_m3"):
            finite(getattr(self, what), f"{what} of layer {self.name}", 0.0, _LARGEST)

    @property
    def heat_capacity_j_m3k(self) -> float:
        """Heat capacity by volume, J/m3 K."""
        return self.density_kg_m3 * self.specific_heat_j_kgk

    @property
    def perfusion_w_m3k(self) -> float:
        """Heat brought by blood per volume and kelvin below arterial temperature, W/m3 K (Pennes 1948)."""
        return self.perfusion_1_s * BLOOD_HEAT_CAPACITY_J_M3K


@dataclass(frozen=True, slots=True)
class Tissue:
    """Layers from the surface inwards, held at ``deep_degc`` under the last one.

    Args:
        layers: At least one, the outermost first.
        deep_degc: Temperature under the last layer, degC, -100...100.
        arterial_degc: Temperature of arterial blood, degC, -100...100.

    Raises:
        QuantityError: No layer, or a temperature that is not finite or not in range.
    """

    layers: tuple[Layer, ...]
    deep_degc: float = DEEP_DEGC
    arterial_degc: float = DEEP_DEGC

    def __post_init__(self) -> None:
        if not self.layers:
            raise QuantityError("a tissue needs at least one layer")
        finite(self.deep_degc, "deep_degc", -100.0, 100.0)
        finite(self.arterial_degc, "arterial_degc", -100.0, 100.0)

    @property
    def depth_m(self) -> float:
        """Depth of the deep boundary below the surface, metres."""
        return sum(layer.thickness_m for layer in self.layers)

    def with_perfusion(self, factor: float, names: Container[str] | None = None) -> "Tissue":
        """The same tissue with the perfusion of its layers multiplied by ``factor``.

        Args:
            factor: 0...100.
            names: The layers meant, by name; all of them if None.

        Raises:
            QuantityError: ``factor`` is not finite or not in its range.
        """
        finite(factor, "perfusion factor", 0.0, 100.0)
        layers = tuple(
            replace(layer, perfusion_1_s=layer.perfusion_1_s * factor)
            if names is None or layer.name in names
            else layer
            for layer in self.layers
        )
        return replace(self, layers=layers)


def face(
    *,
    epidermis_mm: float = 0.1,
    dermis_mm: float = 1.0,
    fat_mm: float = 4.0,
    dermis_w_mk: float = 0.37,
    fat_w_mk: float = 0.21,
    core_degc: float = DEEP_DEGC,
) -> Tissue:
    """Epidermis, dermis, fat and 12 mm of muscle; perfusion at rest in a warm room.

    Args:
        epidermis_mm: Thickness, mm.
        dermis_mm: Thickness, mm.
        fat_mm: Thickness, mm.
        dermis_w_mk: Conductivity, W/m K; published 0.29 to 0.37 [K].
        fat_w_mk: Conductivity, W/m K; published 0.16 to 0.22 [K].
        core_degc: Under the muscle, and arterial blood, degC.
    """
    return Tissue(
        (
            # Conductivity, specific heat [K]; density an engineering default; 0.03-0.06 mm by histology [C],
            # 0.17-0.22 mm with the horny layer by ultrasound [U].
            Layer("epidermis", epidermis_mm * 1e-3, 0.21, 1110.0, 3590.0, 0.0, 0.0),
            # [I]; perfusion 106 mL/min/kg.
            Layer("dermis", dermis_mm * 1e-3, dermis_w_mk, 1109.0, 3391.0, 0.00196, 1830.0),
            # Conductivity [K], thickness [F], the rest [I]; perfusion 33 mL/min/kg.
            Layer("fat", fat_mm * 1e-3, fat_w_mk, 911.0, 2348.0, 0.0005, 465.0),
            # [I]; perfusion 37 mL/min/kg; thickness an engineering default.
            Layer("muscle", 12e-3, 0.49, 1090.0, 3421.0, 0.00067, 990.0),
        ),
        deep_degc=core_degc,
        arterial_degc=core_degc,
    )


CHEEK = face()
"""The tissue of the golden run: fat 4 mm [F]."""

ZONES: Mapping[str, Tissue] = MappingProxyType(
    {
        "forehead": face(fat_mm=2.0),  # fat [F]; the skull beneath is taken as muscle (engineering default)
        "left_cheek": CHEEK,
        "right_cheek": CHEEK,
        "nose": face(fat_mm=1.6),  # fat [F]; the cartilage beneath is taken as muscle (engineering default)
        "chin_jaw": face(fat_mm=5.1),  # fat [F], peri-oral
        "periorbital": face(dermis_mm=0.6, fat_mm=1.6),  # dermis [U], eyelid 0.58-0.67; fat [F], lower end
        "neck": face(),  # dermis [U], 0.98-0.99; fat an engineering default
        "forearm": face(),  # engineering default
        "other": face(fat_mm=8.0),  # engineering default: the thickest fat, hence the coldest skin
    }
)
"""Tissue of each treatment zone by its name."""
