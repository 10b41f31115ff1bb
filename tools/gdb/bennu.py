# SPDX-License-Identifier: MIT
"""gdb commands that show kernel objects, read from the debug information.

    bennu threads           every thread, its state and what it waits for
    bennu table THREAD      the capabilities of a thread's table; a thread is
                            named by id, image or address
    bennu table ADDRESS     the same of a table
    bennu replies           reply objects and the calls they hold
    bennu queues            what runs and waits on each CPU

Threads come from the kernel's table of them; other objects are found by
walking along tables, threads, endpoints and reply objects, and in slabs that
are not full. The same works in the kernel that runs as a Linux program.

The kernel knows no names. A thread goes by the image in the folder that
`set bennu-images` names whose code is what the thread's memory holds.
"""

import os
import struct as layout
import subprocess

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
DIRECT_BASE = 0xffff800000000000
FRAME = 0x000ffffffffff000  # bits of a page table entry
THREAD_REDIRECT = 2         # of a Linux program
RUNNING = STATES.index("running")


def name_of(names, number):
    return names[number] if number < len(names) else f"?{number}"


def struct(kind):
    return gdb.lookup_type(f"struct {kind}")


def kernel_value(name):
    """A variable of the kernel, whatever frame is selected: libOS and programs
    have variables of the same names."""
    kernel = gdb.lookup_global_symbol("cpu_table").symtab.objfile
    for symbol in (gdb.lookup_global_symbol(name),
                   *gdb.lookup_static_symbols(name)):
        # The optimiser of the whole program leaves a second, empty entry.
        if symbol is not None and symbol.symtab.objfile == kernel:
            value = symbol.value()
            if not value.is_optimized_out:
                return value
    raise gdb.GdbError(f"the kernel has no {name}")


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
        try:
            self.start()
            while self.todo:
                self.todo.pop()()
        except gdb.MemoryError as error:
            raise gdb.GdbError(f"{error}: before the kernel has begun there "
                               "are no objects") from error

    def start(self):
        for head in array(kernel_value("thread_table")):
            for thread in walk_list(head, "thread", "by_id"):
                self.add_thread(thread.address)
        for cpu in cpus():
            self.add_thread(cpu["current"])
            for queue in queues(cpu):
                for thread in walk_list(queue, "thread", "link"):
                    self.add_thread(thread.address)
        for place in slab_objects(OBJ_TABLE, "table"):
            self.add_table(place)

    def add_thread(self, pointer):
        if int(pointer) == 0 or int(pointer) in self.threads:
            return
        thread = pointer.dereference()
        self.threads[int(pointer)] = thread
        self.todo.append(lambda: self.visit_thread(thread))

    def visit_thread(self, thread):
        self.add_table(thread["table"])
        for field in thread.type.fields():
            if field.type == struct("reply").pointer():
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
    slab = kernel_value("kinds")[kind]["slab"]
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
    table = kernel_value("cpu_table")
    count = int(kernel_value("cpu_count")) or 1
    return [table[number] for number in range(count)]


def queues(cpu):
    return array(cpu["queue"])


def array(value):
    low, high = value.type.range()
    return [value[number] for number in range(low, high + 1)]


def object_id(value):
    return int(value["object"]["id"])


def physical(frame, size):
    """Bytes from the start of a frame."""
    return bytes(gdb.selected_inferior().read_memory(DIRECT_BASE + frame,
                                                     size))


def user_page(thread, page):
    """The page of the thread's memory at that address, or None."""
    try:
        frame = int(thread["vspace"]["arch"]["root"])
        for shift in (39, 30, 21, 12):
            table = physical(frame, PAGE_SIZE)
            entry, = layout.unpack_from("<Q", table,
                                        (page >> shift & 511) * 8)
            if not entry & 1:
                return None
            frame = entry & FRAME
        return physical(frame, PAGE_SIZE)
    except gdb.error:
        return None             # none yet, or the simulated machine


def code_segments(path):
    """Yields (address, bytes) of what an ELF file lets run."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:5] != b"\x7fELF\x02":
        return
    start, = layout.unpack_from("<Q", data, 32)
    size, count = layout.unpack_from("<HH", data, 54)
    for number in range(count):
        kind, flags, offset, where, _, length = layout.unpack_from(
            "<IIQQQQ", data, start + number * size)
        if kind == 1 and flags & 1:
            yield where, data[offset:offset + length]


class Images:
    """The code that threads may run."""

    def __init__(self, folder):
        self.segments = []
        for name in sorted(os.listdir(folder)) if folder else ():
            path = os.path.join(folder, name)
            if name.endswith(".elf"):
                self.segments += [(path, *segment)
                                  for segment in code_segments(path)]

    def of(self, thread):
        """Path of the image that the thread runs now, or None."""
        rip = int(thread["frame"]["rip"])
        page = rip & ~(PAGE_SIZE - 1)
        code = user_page(thread, page)
        for path, where, data in self.segments if code else ():
            part = data[page - where:page - where + PAGE_SIZE]
            if where <= page < where + len(data) and code.startswith(part):
                return path
        return None


def images():
    folder = gdb.parameter("bennu-images")
    return Images(folder if folder and os.path.isdir(folder) else None)


def image_name(thread, known):
    path = known.of(thread)
    if int(thread["flags"]) & THREAD_REDIRECT:
        return "program"
    return os.path.basename(path)[:-4] if path else "?"


def place(thread, known):
    """Where it goes on in user mode; unknown while it runs."""
    if int(thread["state"]) == RUNNING:
        return ""
    rip = int(thread["frame"]["rip"])
    path = known.of(thread)
    if path is None:
        return f", rip {rip:#x}"
    out = subprocess.run(["addr2line", "-f", "-p", "-e", path, f"{rip - 1:#x}"],
                         capture_output=True, text=True,
                         stdin=subprocess.DEVNULL).stdout.strip()
    return f", rip {rip:#x} <{out}>"


def describe_thread(thread, known):
    state = name_of(STATES, int(thread["state"]))
    text = (f"{address(thread):#x} id {object_id(thread)} "
            f"{image_name(thread, known)} {state}, "
            f"{name_of(CLASSES, int(thread['class']))}")
    if int(thread["cpu"]):
        text += f", cpu {int(thread['cpu']['index'])}"
    text += place(thread, known)
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
    """Shows kernel objects: bennu threads|table|replies|queues|crash."""

    def __init__(self):
        super().__init__("bennu", gdb.COMMAND_DATA, prefix=True)


class Threads(gdb.Command):
    """Lists all threads that can be found."""

    def __init__(self):
        super().__init__("bennu threads", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        threads, known = World().threads, images()
        for thread in sorted(threads.values(), key=object_id):
            print(describe_thread(thread, known))
        print(f"{len(threads)} threads")


class Table(gdb.Command):
    """Shows a capability table: bennu table THREAD|ADDRESS."""

    def __init__(self):
        super().__init__("bennu table", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("usage: bennu table THREAD|ADDRESS")
        world, known = World(), images()
        for where, thread in world.threads.items():
            if argument in (f"{where:#x}", str(object_id(thread)),
                            image_name(thread, known)):
                wanted = int(thread["table"])
                break
        else:
            wanted = int(gdb.parse_and_eval(argument))
        if wanted not in world.tables:
            raise gdb.GdbError(f"{argument} is no table and no thread")
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
        known = images()
        for cpu in cpus():
            print(f"cpu {int(cpu['index'])}:")
            if int(cpu["current"]):
                print("  runs   "
                      + describe_thread(cpu["current"].dereference(), known))
            else:
                print("  idle")
            for number, queue in enumerate(queues(cpu)):
                for thread in walk_list(queue, "thread", "link"):
                    print(f"  {name_of(CLASSES, number):8}"
                          f"{describe_thread(thread, known)}")


gdb.Parameter("bennu-images", gdb.COMMAND_DATA, gdb.PARAM_STRING)
Bennu()
Threads()
Table()
Replies()
Queues()
