# SPDX-License-Identifier: MIT
"""gdb commands that show kernel objects, read from the debug information.

    bennu threads           every thread, its state and what it waits for
    bennu table ADDRESS     the capabilities of a table, or of a thread's table
    bennu replies           reply objects and the calls they hold
    bennu queues            what runs and waits on each CPU

Objects are found by walking: from what runs, is queued, or lies in a slab that
is not full, along tables, threads, endpoints and reply objects. The same works
in the kernel that runs as a Linux program.
"""

import gdb

TYPES = ("none", "table", "vspace", "thread", "memory", "endpoint", "reply",
         "notification", "eventpair-a", "eventpair-b", "death", "irq",
         "timer", "ioport", "container", "system")
STATES = ("stopped", "ready", "running", "blocked: call", "blocked: reply",
          "blocked: receive", "blocked: notify", "dead")
CLASSES = ("idle", "low", "normal", "high", "realtime", "recovery")
REPLY_STATES = ("free", "armed", "held", "void")
RIGHTS = "rwxcvpm"          # read write exec call receiVe coPy manage
OBJ_TABLE, OBJ_THREAD, OBJ_ENDPOINT, OBJ_REPLY = 1, 3, 5, 6
SLOTS_PER_PAGE = 64
PAGE_SIZE = 4096
WALK_MAX = 100000           # a damaged list ends


def name_of(names, number):
    return names[number] if number < len(names) else f"?{number}"


def struct(kind):
    return gdb.lookup_type(f"struct {kind}")


def container_of(pointer, kind, member):
    """The struct that `pointer` is a member of."""
    wanted = struct(kind)
    offset = next(field.bitpos // 8 for field in wanted.fields()
                  if field.name == member)
    address = int(pointer) - offset
    return gdb.Value(address).cast(wanted.pointer()).dereference()


def walk_list(head, kind, member):
    """Yields the structs on a ring list; nothing if it was never set up."""
    start = int(head.address)
    node = head["next"]
    for _ in range(WALK_MAX):
        if int(node) in (0, start):
            return
        yield container_of(node, kind, member)
        node = node["next"]


def address(value):
    return int(value.address)


def table_slots(table):
    """Yields (index, slot) for each slot in use."""
    pages = int(table["slots_max"]) // SLOTS_PER_PAGE
    for number in range(pages):
        page = table["pages"][number]
        if int(page) == 0:
            continue
        for at in range(SLOTS_PER_PAGE):
            slot = page[at]
            if int(slot["object"]) != 0:
                yield number * SLOTS_PER_PAGE + at, slot


def slot_type(slot):
    return int(slot["meta"]) >> 12 & 0xf


class World:
    """All objects that can be found, by address."""

    def __init__(self):
        self.threads, self.tables = {}, {}
        self.endpoints, self.replies = {}, {}
        self.todo = []
        self.start()
        while self.todo:
            self.todo.pop()()

    def start(self):
        for cpu in cpus():
            self.add_thread(cpu["current"])
            for queue in queues(cpu):
                for thread in walk_list(queue, "thread", "link"):
                    self.add_thread(thread.address)
        for kind, name, add in ((OBJ_THREAD, "thread", self.add_thread),
                                (OBJ_TABLE, "table", self.add_table)):
            for place in slab_objects(kind, name):
                add(place)

    def add_thread(self, pointer):
        if int(pointer) == 0 or int(pointer) in self.threads:
            return
        thread = pointer.dereference()
        self.threads[int(pointer)] = thread
        self.todo.append(lambda: self.visit_thread(thread))

    def visit_thread(self, thread):
        self.add_table(thread["table"])
        for field in ("calling", "serving", "armed"):
            self.add_reply(thread[field])

    def add_table(self, pointer):
        if int(pointer) == 0 or int(pointer) in self.tables:
            return
        table = pointer.dereference()
        self.tables[int(pointer)] = table
        self.todo.append(lambda: self.visit_table(table))

    def visit_table(self, table):
        for _, slot in table_slots(table):
            kind = slot_type(slot)
            if kind == OBJ_THREAD:
                self.add_thread(object_at(slot, "thread"))
            elif kind == OBJ_TABLE:
                self.add_table(object_at(slot, "table"))
            elif kind == OBJ_REPLY:
                self.add_reply(object_at(slot, "reply"))
            elif kind == OBJ_ENDPOINT:
                self.add_endpoint(object_at(slot, "endpoint"))

    def add_endpoint(self, pointer):
        if int(pointer) == 0 or int(pointer) in self.endpoints:
            return
        endpoint = pointer.dereference()
        self.endpoints[int(pointer)] = endpoint
        self.todo.append(lambda: self.visit_endpoint(endpoint))

    def visit_endpoint(self, endpoint):
        for reply in walk_list(endpoint["replies"], "reply", "link"):
            self.add_reply(reply.address)
        for queue in ("callers", "receivers"):
            for thread in walk_list(endpoint[queue], "thread", "link"):
                self.add_thread(thread.address)

    def add_reply(self, pointer):
        if int(pointer) == 0 or int(pointer) in self.replies:
            return
        reply = pointer.dereference()
        self.replies[int(pointer)] = reply
        self.todo.append(lambda: self.visit_reply(reply))

    def visit_reply(self, reply):
        self.add_endpoint(reply["endpoint"])
        self.add_thread(reply["caller"])
        self.add_thread(reply["server"])


def object_at(slot, kind):
    return container_of(slot["object"], kind, "object").address


def slab_objects(kind, name):
    """Yields pointers to the objects in frames that have a free place."""
    slab = gdb.parse_and_eval("kinds")[kind]["slab"]
    size = int(slab["size"])
    header = struct("slab_frame").sizeof
    pointer = struct(name).pointer()
    for frame in walk_list(slab["partial"], "slab_frame", "link"):
        free = free_places(frame)
        first = address(frame) + header
        for number in range(int(frame["capacity"])):
            place = first + number * size
            if place not in free:
                yield gdb.Value(place).cast(pointer)


def free_places(frame):
    free = set()
    link = gdb.lookup_type("unsigned long").pointer()
    place = int(frame["free"])
    while place and len(free) < PAGE_SIZE:
        free.add(place)
        place = int(gdb.Value(place).cast(link).dereference())
    return free


def cpus():
    table = gdb.parse_and_eval("cpu_table")
    count = int(gdb.parse_and_eval("cpu_count")) or 1
    return [table[number] for number in range(count)]


def queues(cpu):
    low, high = cpu["queue"].type.range()
    return [cpu["queue"][number] for number in range(low, high + 1)]


def object_id(value):
    return int(value["object"]["id"])


def describe_thread(thread):
    state = name_of(STATES, int(thread["state"]))
    text = (f"{address(thread):#x} id {object_id(thread)} {state}, "
            f"{name_of(CLASSES, int(thread['class']))}")
    if int(thread["blocked_on"]):
        text += f", on {int(thread['blocked_on']):#x}"
    if int(thread["calling"]):
        text += f", call held in {int(thread['calling']):#x}"
    for flag in ("kill_pending", "kick_pending"):
        if thread[flag]:
            text += f", {flag.split('_')[0]} pending"
    return text + f", table {int(thread['table']):#x}"


def describe_slot(index, slot):
    meta = int(slot["meta"])
    rights = "".join(letter if meta >> bit & 1 else "-"
                     for bit, letter in enumerate(RIGHTS))
    text = (f"{index:6} {name_of(TYPES, slot_type(slot)):13} {rights} "
            f"trust {meta >> 8 & 0xf} badge {int(slot['badge']):#x} "
            f"object {int(slot['object']):#x}")
    if int(slot["parent"]):
        text += f" from {int(slot['parent']):#x}"
    return text


def describe_reply(reply):
    state = int(reply["state"])
    text = (f"{address(reply):#x} id {object_id(reply)} "
            f"{name_of(REPLY_STATES, state)} "
            f"endpoint {int(reply['endpoint']):#x}")
    if REPLY_STATES[state:state + 1] == ("held",):
        text += (f" caller {int(reply['caller']):#x} "
                 f"badge {int(reply['badge']):#x} "
                 f"word 0 {int(reply['word'][0]):#x}")
    if int(reply["server"]):
        text += f" server {int(reply['server']):#x}"
    return text


class Bennu(gdb.Command):
    """Shows kernel objects: bennu threads|table|replies|queues."""

    def __init__(self):
        super().__init__("bennu", gdb.COMMAND_DATA, prefix=True)


class Threads(gdb.Command):
    """Lists all threads that can be found."""

    def __init__(self):
        super().__init__("bennu threads", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        threads = World().threads
        for thread in sorted(threads.values(), key=object_id):
            print(describe_thread(thread))
        print(f"{len(threads)} threads")


class Table(gdb.Command):
    """Shows a capability table: bennu table ADDRESS, of a table or thread."""

    def __init__(self):
        super().__init__("bennu table", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("usage: bennu table ADDRESS")
        wanted = int(gdb.parse_and_eval(argument))
        world = World()
        if wanted in world.threads:
            wanted = int(world.threads[wanted]["table"])
        if wanted not in world.tables:
            raise gdb.GdbError(f"no table or thread at {wanted:#x}")
        count = 0
        for index, slot in table_slots(world.tables[wanted]):
            print(describe_slot(index, slot))
            count += 1
        print(f"{count} capabilities")


class Replies(gdb.Command):
    """Lists reply objects and the calls they hold."""

    def __init__(self):
        super().__init__("bennu replies", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        replies = World().replies
        for reply in sorted(replies.values(), key=object_id):
            print(describe_reply(reply))
        print(f"{len(replies)} reply objects")


class Queues(gdb.Command):
    """Shows what runs and waits on each CPU."""

    def __init__(self):
        super().__init__("bennu queues", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for cpu in cpus():
            print(f"cpu {int(cpu['index'])}:")
            if int(cpu["current"]):
                print("  runs   "
                      + describe_thread(cpu["current"].dereference()))
            else:
                print("  idle")
            for number, queue in enumerate(queues(cpu)):
                for thread in walk_list(queue, "thread", "link"):
                    print(f"  {name_of(CLASSES, number):8}"
                          f"{describe_thread(thread)}")


Bennu()
Threads()
Table()
Replies()
Queues()
