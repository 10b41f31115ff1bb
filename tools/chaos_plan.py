# SPDX-License-Identifier: MIT
"""Which boots of ./bennu chaos inject what, from the numbers given alone: the
same arguments give the same boots.

A boot has faults of one class, so that what a fault without a promise broke is
never put down to one that has a promise. After a fault in committed state the
machine is restarted: what it keeps from then on is not to be trusted, and
says so itself at best.
"""

import dataclasses
import hashlib
import math
from dataclasses import dataclass

from chaos_log import COMMITTED, INSIDE

# A boot option has at most so many bytes.
OPTION_MAX = 47
# Of what is added to cells in which too little manifests, each time.
LEAST_RATE = 0.02
MORE_MAX = 300
DEFAULT_SERVICES = ("console", "storage", "proc", "phoenix")


@dataclass(frozen=True)
class Group:
    """Kinds of faults that share boots."""
    kinds: tuple
    weight: float       # of each kind: its part of the faults
    most: int           # faults in one boot
    enough: int = 0     # of each kind for each service; 0: never
    every: float = 1    # times the --every of the run
    pause_us: int = 1000    # between the rounds of a load
    patience_s: int = 60    # so much CPU time without a word is too much


# A fault that makes a service compute or wait until somebody notices takes a
# second of machine time or three, others a hundredth: there are fewer of those,
# and the loads do less meanwhile. What is left of a large run goes to the kinds
# that never have enough. A boot alone costs as much as a hundred of those.
GROUPS = (
    Group(("kill", "exception", "panic", "stray-outside"), 8, 1000,
          pause_us=2000),
    Group(("stray-arena", "bad-cap", "bad-reply"), 8, 1000, pause_us=2000),
    Group(("hang",), 0.5, 24, 36, every=60, pause_us=50000),
    # The longest budget of a request is five seconds of machine time.
    Group(("loop",), 0.2, 8, 32, every=60, pause_us=50000, patience_s=240),
    Group(("leak",), 0.5, 20, 60, every=3),
    Group(("slow",), 0.5, 20, 40, every=15, pause_us=10000),
    Group(INSIDE[:4], 1, 16, 60, every=4),
    Group(INSIDE[4:6], 1, 16, 60, every=4),
    Group(INSIDE[6:], 1, 16, 60, every=4),
    Group(COMMITTED[:1], 0.5, 1, 25, every=100),
    Group(COMMITTED[1:], 0.5, 1, 25, every=100),
)


@dataclass(frozen=True)
class BootPlan:
    index: int
    seed: int
    kinds: tuple
    services: tuple
    count: int
    every_us: int
    pause_us: int
    patience_s: int = 60


def derived_seed(seed, index):
    """Of one boot, in 31 bits: the injector takes 32."""
    digest = hashlib.sha256(f"{seed} {index}".encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1 | 1


def chosen_groups(kinds):
    """The groups with the kinds that were asked for."""
    for group in GROUPS:
        left = tuple(kind for kind in group.kinds if kind in kinds)
        if left:
            yield dataclasses.replace(group, kinds=left)


def shares(groups, count, services):
    """How many of `count` faults each group gets: one where there are
    enough, the rest by weight; what one has enough of goes to the others."""
    out = [1 if i < count else 0 for i in range(len(groups))]
    most = [group.enough * len(group.kinds) * services or count
            for group in groups]
    open_groups = set(range(len(groups)))
    while open_groups:
        rest = count - sum(out)
        total = sum(groups[i].weight * len(groups[i].kinds)
                    for i in open_groups)
        more = {i: int(rest * groups[i].weight * len(groups[i].kinds) / total)
                for i in open_groups}
        full = {i for i in open_groups if out[i] + more[i] >= most[i]}
        for i in full or open_groups:
            out[i] = min(out[i] + more[i], most[i])
        open_groups = open_groups - full if full else set()
    # Of small runs a few are left over, and nobody may have room for more.
    out[0] += count - sum(out)
    return out


def turned(names, turn):
    """Another one first, so that short boots come round to all of them."""
    turn %= len(names)
    return names[turn:] + names[:turn]


def plan(kinds, services, count, every_us, seed):
    """Returns the list of boots."""
    boots = []
    groups = list(chosen_groups(kinds))
    for group, share in zip(groups, shares(
            groups, count, len(services))):
        for turn in range(math.ceil(share / group.most)):
            index = len(boots)
            boots.append(BootPlan(
                index, derived_seed(seed, index), turned(group.kinds, turn),
                turned(services, turn),
                min(share - turn * group.most, group.most),
                int(every_us * group.every), group.pause_us,
                group.patience_s))
    return boots


def spread(boots):
    """Another order: those of each group evenly among the others, so that the
    part of a run that was done when it was interrupted tells of all kinds."""
    groups = {}
    for boot in boots:
        groups.setdefault(tuple(sorted(boot.kinds)), []).append(boot)
    places = [((i + 0.5) / len(group), boot.index, boot)
              for group in groups.values() for i, boot in enumerate(group)]
    return [boot for _, _, boot in sorted(places, key=lambda p: p[:2])]


def again(boots, injected, seed):
    """Boots for the faults that others did not live to see: what comes first
    there is another one. `injected`: how many there were in each."""
    out = []
    for boot, count in zip(boots, injected):
        index = boots[-1].index + 1 + len(out)
        if count < boot.count:
            out.append(dataclasses.replace(
                boot, index=index, seed=derived_seed(seed, index),
                kinds=turned(boot.kinds, 1), services=turned(boot.services, 1),
                count=boot.count - count))
    return out


def group_of(kind):
    return next(group for group in GROUPS if kind in group.kinds)


def more(cells, wanted, every_us, seed, index):
    """Boots for cells in which too little came of the faults so far, as many
    as it should take. `index`: of the first of them."""
    out = []
    for cell in cells:
        missing = wanted - cell["manifested"]
        if missing <= 0:
            continue
        rate = max(cell["manifested"] / cell["injected"], LEAST_RATE)
        group = group_of(cell["fault"])
        left = min(math.ceil(missing / rate), MORE_MAX)
        while left > 0:
            count = min(left, group.most)
            out.append(BootPlan(
                index, derived_seed(seed, index), (cell["fault"],),
                (cell["service"],), count, int(every_us * group.every),
                group.pause_us, group.patience_s))
            index += 1
            left -= count
    return out


def options(boot):
    """Boot options for the injector."""
    return ["chaos=1", f"chaos.seed={boot.seed}",
            "chaos.services=" + ",".join(boot.services),
            "chaos.faults=" + ",".join(boot.kinds),
            f"chaos.every_us={boot.every_us}", f"chaos.count={boot.count}"]


def too_long(lines):
    """Options that a boot archive cannot hold."""
    return [line for line in lines
            if len(line.split("=", 1)[1]) > OPTION_MAX]
