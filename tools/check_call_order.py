#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Calls go down only: program, proc, storage and net, dev, driver.

Who calls whom is told by what the manifests need (PLACE:INTERFACE) and by the
clients that the sources of a service include (<idl/NAME_client.h>); who provides
an interface, by $place in its schema. Everybody may call phoenix, which like
init calls nobody: so no two ever wait for each other.
"""

import os
import re
import tomllib

import tree

# From the top. The console stands for the driver that it has. The broker is
# below all: everybody may share a channel, and it calls nobody. So does faulty.
LAYERS = {"program": 0, "proc": 1, "storage": 2, "net": 2, "dev": 3,
          "console": 4, "broker": 5, "faulty": 5}
DRIVER = 4
CALL_NOBODY = ("init", "phoenix")
PLACE = re.compile(r"^interface\s+(\w+)[^{]*?\$(?:\w+\.)?place\(\"(\w+)\"\)",
                   re.M)
CLIENT = re.compile(r"^#include <idl/(\w+)_client\.h>", re.M)
CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


def interfaces(schemas):
    """{path: text} -> {interface: place}, names as in C."""
    found = {}
    for text in schemas.values():
        for name, place in PLACE.findall(text):
            found[CAPITAL.sub(r"_\1", name).lower()] = place
    return found


def layer(folder, name):
    """Of a service in services/ or drivers/; those not named are on top."""
    if folder == "drivers":
        return DRIVER
    return LAYERS.get(name, LAYERS["program"])


def calls(manifest, text, clients, provider):
    """Yields (place, why) for each place that is called."""
    places = set(provider.values()) | set(LAYERS)
    for need in manifest.get("needs", []):
        place = need.split(":")[0]
        if place in places:
            yield place, f"needs {need}"
    for client in clients:
        if client in provider:
            yield provider[client], f"{text} includes {client}_client.h"
        else:
            yield None, f"{text}: no schema has the interface {client}"


def check(services, schemas):
    """services: [(folder, name, manifest, {path: text})]."""
    provider = interfaces(schemas)
    layers = {name: layer(folder, name) for folder, name, _, _ in services}
    problems = []
    for folder, name, manifest, sources in services:
        every = list(calls(manifest, "", [], provider))
        for path, text in sources.items():
            every += calls({}, path, CLIENT.findall(text), provider)
        for place, why in every:
            if place is None:
                problems.append(why)
            elif name in CALL_NOBODY:
                problems.append(f"{folder}/{name} calls nobody, but {why}")
            elif place not in CALL_NOBODY and layers[name] >= layers.get(
                    place, layer("services", place)):
                problems.append(f"{folder}/{name} is not above {place}, but "
                                f"{why}")
    return problems


def read_services():
    found = []
    folders = {os.path.dirname(path) for path in tree.files("CMakeLists.txt")
               if path.startswith(("services/", "drivers/"))}
    for folder in sorted(folders):
        area, name = folder.split("/")[:2]
        manifests = tree.files(".toml", under=folder)
        manifest = tomllib.loads(tree.read_text(manifests[0])) \
            if manifests else {}
        found.append((area, name, manifest,
                      {path: tree.read_text(path)
                       for path in tree.files(".c", ".h", under=folder)}))
    return found


def main():
    services = read_services()
    schemas = {path: tree.read_text(path)
               for path in tree.files(".capnp", under="idl")}
    unplaced = [f"{path}: an interface has no $place" for path, text in
                schemas.items() if len(re.findall(r"^interface ", text, re.M))
                != len(PLACE.findall(text))]
    tree.end(unplaced + check(services, schemas),
             f"{len(services)} services, {len(interfaces(schemas))} "
             f"interfaces")


if __name__ == "__main__":
    main()
