# SPDX-License-Identifier: Apache-2.0
"""What an engine runs with when no configuration group says otherwise, as values that a group may have. Pure."""

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from trove.datastores.enginelib.protection import Protection
from trove.datastores.parameters import Number, Parameter, Parameters, Value

_TRUTH = {"on": True, "yes": True, "off": False, "no": False}
_SUFFIXED = re.compile(r"([0-9]+)([KMG])", re.ASCII)
_SCALE = {"K": 2**10, "M": 2**20, "G": 2**30}


def protect(
    parameters: Parameters, protection: Protection, floors: Mapping[str, Number] = MappingProxyType({})
) -> Parameters:
    """Return the parameters, marked where they are protected, and with the ``floors`` of those that have one."""
    return {
        name: _bounded(replace(parameter, protected=protection.covers(name) or parameter.protected), floors.get(name))
        for name, parameter in parameters.items()
    }


def _bounded(parameter: Parameter, floor: Number | None) -> Parameter:
    # Where 0 switches nothing off, the floor is simply the minimum, and is shown as such.
    lowest = floor if floor is not None and parameter.min is not None and parameter.min > 0 else parameter.min
    return replace(parameter, min=lowest, floor=floor)


def configuration(parameters: Parameters, template: Mapping[str, str]) -> dict[str, Value]:
    """Return what ``template``, the text of an engine's configuration, sets of what a group may set."""
    found = {name: parameters[name] for name in template if name in parameters and not parameters[name].protected}
    return {name: _typed(parameter, template[name]) for name, parameter in sorted(found.items())}


def _typed(parameter: Parameter, text: str) -> Value:
    if parameter.type == "boolean" and text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    if parameter.type == "float":
        return float(text)
    if parameter.type in ("integer", "size", "suffixed"):
        if text.lstrip("-").isdigit():
            return int(text)
        # The suffixes of an option file of MySQL, which no client may use.
        if (suffixed := _SUFFIXED.fullmatch(text)) is not None:
            return int(suffixed[1]) * _SCALE[suffixed[2]]
    return text
