# SPDX-License-Identifier: MIT
"""Channels between processes: a binding of libbennu-ipc.

    import bennu_ipc

    with bennu_ipc.Domain.hosted() as domain:           # bennu-broker(8)
        with domain.create("news", type=bennu_ipc.BROADCAST) as channel:
            channel.send(b"it rains")

    with bennu_ipc.Domain.hosted() as domain:           # another process
        with domain.open("news", role=bennu_ipc.RECEIVER) as channel:
            print(channel.receive(timeout=5))

channel_create(3) and the pages it names say what everything means. Times are
seconds; None waits for ever. Each status is an exception of its own, a subclass
of Error, such as Timeout for ERR_TIMEOUT. A channel belongs to one thread at a
time; a child of fork needs a domain of its own.

Without copies: `with channel.peek() as view` shows a message where it lies, and
`with channel.reserve(100) as view` gives room for one. view.data is a
memoryview; it is gone, with all parts of it, when the block ends.
"""

import ctypes
import enum
import os
import sys
import time
import weakref

(ASYNC, SYNC, BROADCAST, MULTICAST, STREAM, BATCH) = range(6)
(BLOCK, DROP_OLDEST, DROP_NEWEST, ERROR) = range(4)
(AUTO, RAW, LITE, FULL) = range(4)
SENDER, RECEIVER = 1, 2

_FOREVER = 2**64 - 1
_SLICE_NS = 200_000_000         # Ctrl-C is noticed so often


class Status(enum.IntEnum):
    """Status codes of the library: abi/status.h."""
    OK = 0
    ERR_HANDLE = 1
    ERR_TYPE = 2
    ERR_RIGHT = 3
    ERR_ARG = 4
    ERR_RANGE = 5
    ERR_NOMEM = 6
    ERR_LIMIT = 7
    ERR_NOENT = 8
    ERR_EXIST = 9
    ERR_STATE = 10
    ERR_FAULT = 11
    ERR_RETRY = 12
    ERR_INTERRUPTED = 13
    ERR_TIMEOUT = 14
    ERR_GONE = 15
    ERR_STALE = 16
    ERR_BUSY = 17
    ERR_FULL = 18
    ERR_EMPTY = 19
    ERR_NOSYS = 20
    ERR_CANCELLED = 21
    ERR_CORRUPT = 22


class Error(Exception):
    """A call failed; .status says why."""
    status = None

    def __init__(self, call):
        super().__init__(f"{call}: {self.status.name}")


# What programs of Python expect, where there is such a thing.
_ALSO = {
    "ERR_RIGHT": PermissionError, "ERR_NOENT": FileNotFoundError,
    "ERR_EXIST": FileExistsError, "ERR_TIMEOUT": TimeoutError,
    "ERR_GONE": ConnectionError, "ERR_NOMEM": MemoryError,
}


def _exception(status):
    name = status.name[4:].capitalize()
    also = _ALSO.get(status.name)
    kind = type(name, (Error,) + ((also,) if also else ()),
                {"status": status, "__module__": __name__,
                 "__doc__": f"{status.name} of abi/status.h."})
    globals()[name] = kind
    return kind


_EXCEPTIONS = {status: _exception(status) for status in Status
               if status != Status.OK}


class _Token(ctypes.Structure):
    _fields_ = [
        ("object", ctypes.c_uint64), ("epoch", ctypes.c_uint32),
        ("rights", ctypes.c_uint8), ("trust", ctypes.c_uint8),
        ("holder", ctypes.c_uint16), ("nonce", ctypes.c_uint64),
        ("tag", ctypes.c_uint64)]


class _Config(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_uint), ("overflow", ctypes.c_uint),
        ("serializer", ctypes.c_uint), ("zero_copy", ctypes.c_bool),
        ("pollable", ctypes.c_bool), ("message_max", ctypes.c_uint32),
        ("buffer_size", ctypes.c_uint32), ("buffers", ctypes.c_uint32),
        ("batch", ctypes.c_uint32), ("schema", ctypes.c_uint64),
        ("spin_ns", ctypes.c_uint64)]


class _Options(ctypes.Structure):
    _fields_ = [
        ("domain", ctypes.c_void_p), ("role", ctypes.c_uint),
        ("serializer", ctypes.c_uint), ("schema", ctypes.c_uint64),
        ("groups", ctypes.c_uint64),
        ("keeper", ctypes.c_void_p)]    # none: members are not kept


class _View(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p), ("length", ctypes.c_size_t),
        ("session", ctypes.c_uint64), ("lost", ctypes.c_uint64),
        ("serializer", ctypes.c_uint32), ("trust", ctypes.c_uint),
        ("identity", ctypes.c_uint64)]


class _Exchange(ctypes.Structure):
    _fields_ = [
        ("request", ctypes.c_void_p), ("request_length", ctypes.c_size_t),
        ("answer", ctypes.c_void_p), ("answer_length", ctypes.c_size_t),
        ("sender", ctypes.c_void_p), ("deadline_ns", ctypes.c_uint64)]


class _Statistics(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in (
        "sent", "received", "bytes_sent", "bytes_received", "bytes_copied",
        "zero_copy", "dropped_oldest", "dropped_newest", "refused",
        "abandoned", "slow", "slept", "woken", "corrupt")] + [
            ("latency", ctypes.c_uint64 * 32)]


class _Listed(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char * 48), ("channel", ctypes.c_uint64),
        ("uid", ctypes.c_uint32), ("pid", ctypes.c_uint32),
        ("members", ctypes.c_uint32), ("lanes", ctypes.c_uint32),
        ("type", ctypes.c_uint8), ("linked", ctypes.c_uint8),
        ("zero", ctypes.c_uint16 * 3)]


class _List(ctypes.Structure):
    _fields_ = [
        ("next", ctypes.c_uint32), ("count", ctypes.c_uint32),
        ("channel", _Listed * 8)]


class _Totals(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in (
        "processes", "channels", "members", "lanes", "segments", "pools",
        "bytes", "accounts", "edges", "descriptors", "refused",
        "malformed")]


# What the layouts above must agree with, for the test.
LAYOUTS = {
    "broker_listed": _Listed, "broker_list": _List, "broker_totals": _Totals,
    "token": _Token, "channel_config": _Config, "channel_options": _Options,
    "channel_view": _View, "channel_exchange": _Exchange,
    "channel_statistics": _Statistics,
}

_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_size_t
_U64 = ctypes.c_uint64
_CALLS = {
    "channel_domain_private": (_POINTER,),
    "channel_domain_hosted": (ctypes.c_char_p, _POINTER),
    "channel_hosted_list": (_POINTER, ctypes.c_uint32, _POINTER),
    "channel_hosted_totals": (_POINTER, _POINTER),
    "channel_create": (ctypes.c_char_p, _POINTER, _POINTER, _POINTER,
                       _POINTER),
    "channel_open": (ctypes.c_char_p, _POINTER, _POINTER, _POINTER),
    "channel_send_until": (_POINTER, _POINTER, _SIZE, _POINTER, _U64),
    "channel_receive_until": (_POINTER, _POINTER, _POINTER, _POINTER, _U64),
    "channel_call": (_POINTER, _POINTER),
    "channel_answer": (_POINTER, _POINTER, _SIZE),
    "channel_reserve": (_POINTER, _SIZE, _POINTER, _U64),
    "channel_commit": (_POINTER, _POINTER),
    "channel_peek": (_POINTER, _POINTER, _U64),
    "channel_release": (_POINTER, _POINTER),
    "channel_flush": (_POINTER,),
    "channel_descriptor": (_POINTER, _POINTER),
}
_PROCEDURES = {
    "channel_domain_private_close": (_POINTER,),
    "channel_domain_hosted_close": (_POINTER,),
    "channel_close": (_POINTER,),
    "channel_cancel": (_POINTER, _POINTER),
    "channel_set_groups": (_POINTER, _U64),
    "channel_set_session": (_POINTER, _U64),
    "channel_statistics": (_POINTER, _POINTER),
}


def _load():
    library = ctypes.CDLL(os.environ.get("BENNU_IPC_LIBRARY",
                                         "libbennu-ipc.so.0"))
    for result, calls in ((_U64, _CALLS), (None, _PROCEDURES)):
        for name, arguments in calls.items():
            function = getattr(library, name)
            function.argtypes = arguments
            function.restype = result
    return library


_library = _load()


def _check(call, *arguments):
    status = getattr(_library, call)(*arguments)
    if status != 0:
        raise _EXCEPTIONS[Status(status)](call)


def _deadline(timeout):
    if timeout is None:
        return _FOREVER
    if timeout <= 0:
        return 0
    return time.monotonic_ns() + int(timeout * 1e9)


def _retry(call, *arguments, timeout):
    """A wait in pieces: between them Python sees to its signals."""
    deadline = _deadline(timeout)
    while True:
        until = min(deadline, time.monotonic_ns() + _SLICE_NS) if deadline \
            else 0
        try:
            return _check(call, *arguments, until)
        except Timeout:         # noqa: F821 (made from the table above)
            if until == deadline:
                raise


def _bytes_of(message):
    """(address holder, length) of anything with a buffer."""
    view = memoryview(message).cast("B")
    if view.readonly or not view.contiguous:
        data = bytes(view)
        return ctypes.c_char_p(data), len(data)
    return (ctypes.c_char * len(view)).from_buffer(view), len(view)


class Domain:
    """Where names of channels are looked up; closed last."""

    def __init__(self, pointer, close):
        self._pointer, self._close = pointer, close
        self._channels = weakref.WeakSet()

    @classmethod
    def private(cls):
        """Threads of this process."""
        pointer = _POINTER()
        _check("channel_domain_private", ctypes.byref(pointer))
        return cls(pointer, _library.channel_domain_private_close)

    @classmethod
    def hosted(cls, socket=None):
        """Processes that meet at bennu-broker; None: at the usual place."""
        pointer = _POINTER()
        path = None if socket is None else os.fsencode(socket)
        _check("channel_domain_hosted", path, ctypes.byref(pointer))
        return cls(pointer, _library.channel_domain_hosted_close)

    def close(self):
        """Closes its channels as well."""
        for channel in list(self._channels):
            channel.close()
        pointer, self._pointer = self._pointer, None
        if pointer is not None:
            self._close(pointer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _broker(self):
        if self._close is not _library.channel_domain_hosted_close:
            raise TypeError("a private domain has no broker")
        return self.pointer()

    def channels(self):
        """Channels of the broker that this process may see, as dicts."""
        place, found = 0, _List()
        while True:
            _check("channel_hosted_list", self._broker(), place,
                   ctypes.byref(found))
            for listed in found.channel[:found.count]:
                yield {"name": os.fsdecode(listed.name),
                       "channel": listed.channel, "uid": listed.uid,
                       "pid": listed.pid, "members": listed.members,
                       "lanes": listed.lanes, "type": listed.type}
            place = found.next
            if place == 0:
                return

    def totals(self):
        """What the broker holds; Right for who is no observer."""
        raw = _Totals()
        _check("channel_hosted_totals", self._broker(), ctypes.byref(raw))
        return {name: getattr(raw, name) for name, _ in raw._fields_}

    def pointer(self):
        if self._pointer is None:
            raise ValueError("the domain is closed")
        return self._pointer

    def _options(self, role, serializer, schema, groups):
        return _Options(self.pointer(), role, serializer, schema, groups)

    def create(self, name, role=SENDER | RECEIVER, groups=0, owner=None,
               **config):
        """config: the fields of struct channel_config."""
        settings = _Config(**config)
        options = self._options(role, settings.serializer, settings.schema,
                                groups)
        pointer = _POINTER()
        _check("channel_create", os.fsencode(name), ctypes.byref(settings),
               ctypes.byref(options), _token(owner), ctypes.byref(pointer))
        return self._joined(pointer)

    def open(self, name, role=SENDER | RECEIVER, serializer=AUTO, schema=0,
             groups=0, holder=None):
        options = self._options(role, serializer, schema, groups)
        pointer = _POINTER()
        _check("channel_open", os.fsencode(name), ctypes.byref(options),
               _token(holder), ctypes.byref(pointer))
        return self._joined(pointer)

    def _joined(self, pointer):
        channel = Channel(self, pointer)
        self._channels.add(channel)
        return channel


def _token(data):
    """Tokens are 32 bytes here."""
    return None if data is None else ctypes.byref(
        _Token.from_buffer_copy(data))


class View:
    """A message where it lies: .data, and for a peek .session and .lost."""

    def __init__(self, channel, raw, writable):
        self._channel, self._raw, self._writable = channel, raw, writable
        channel.views.append(self)
        self._memory = (ctypes.c_ubyte * raw.length).from_address(
            raw.data or 0) if raw.length else (ctypes.c_ubyte * 0)()
        data = memoryview(self._memory).cast("B")
        self.data = data if writable else data.toreadonly()
        self.session, self.lost = raw.session, raw.lost
        self.trust = raw.trust

    def _give_up_data(self):
        """Nobody may hold a part of what is not ours any more."""
        if self.data is None:
            return
        self.data.release()
        # The attribute and the argument of getrefcount.
        if sys.getrefcount(self._memory) > 2:
            self.data = memoryview(self._memory).cast("B")
            raise BufferError("a part of the message is still in use")
        self.data = None

    def end(self):
        """Gives up the memory; whose channel it was, or None."""
        if self._channel is None:
            return None
        self._give_up_data()
        channel, self._channel = self._channel, None
        channel.views.remove(self)
        return channel

    def commit(self, length=None):
        """Sends what was reserved, or the first `length` bytes of it."""
        if length is not None:
            self._raw.length = length
        channel = self.end()
        try:
            _check("channel_commit", channel.pointer(),
                   ctypes.byref(self._raw))
        except Error:
            # It may still stand: nobody can name it any more.
            _library.channel_cancel(channel.pointer(),
                                    ctypes.byref(self._raw))
            raise

    def release(self, length=None):
        """Takes a shown message out (STREAM: `length` bytes of it), or gives
        up one that was not sent."""
        if length is not None:
            self._raw.length = length
        channel = self.end()
        if channel is None:
            return
        if self._writable:
            _library.channel_cancel(channel.pointer(),
                                    ctypes.byref(self._raw))
        else:
            _check("channel_release", channel.pointer(),
                   ctypes.byref(self._raw))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self._channel is not None and self._writable and kind is None:
            self.commit()
        else:
            self.release()


class Channel:
    """An end of a channel."""

    def __init__(self, domain, pointer):
        self._domain, self._pointer = domain, pointer
        self.views = []         # that show memory of the channel
        self._room = ctypes.create_string_buffer(4096)

    def pointer(self):
        if self._pointer is None:
            raise ValueError("the channel is closed")
        return self._pointer

    def close(self):
        for view in list(self.views):
            view.end()
        pointer, self._pointer = self._pointer, None
        if pointer is not None:
            _library.channel_close(pointer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, message, timeout=None):
        data, length = _bytes_of(message)
        _check("channel_send_until", self.pointer(), data, length, None,
               _deadline(timeout))

    def receive(self, timeout=None):
        """The next message, as bytes."""
        while True:
            length = _SIZE(len(self._room))
            try:
                _retry("channel_receive_until", self.pointer(), self._room,
                       ctypes.byref(length), None, timeout=timeout)
                return self._room[:length.value]
            except Range:       # noqa: F821
                # The message stays, and its length is known now.
                self._room = ctypes.create_string_buffer(length.value)

    def __iter__(self):
        """Messages until all senders are gone."""
        while True:
            try:
                yield self.receive()
            except Gone:        # noqa: F821
                return

    def call(self, request, room=65536, timeout=None):
        """SYNC: sends, and returns the answer."""
        data, length = _bytes_of(request)
        answer = ctypes.create_string_buffer(room)
        exchange = _Exchange(
            ctypes.cast(data, _POINTER), length, ctypes.addressof(answer),
            room, None, _deadline(timeout))
        _check("channel_call", self.pointer(), ctypes.byref(exchange))
        return answer[:exchange.answer_length]

    def answer(self, message):
        """SYNC: answers the message received last."""
        data, length = _bytes_of(message)
        _check("channel_answer", self.pointer(), data, length)

    def reserve(self, length, timeout=None):
        """Room for a message; sent when a `with` block ends well."""
        raw = _View()
        _check("channel_reserve", self.pointer(), length, ctypes.byref(raw),
               _deadline(timeout))
        return View(self, raw, True)

    def peek(self, timeout=None):
        """The next message where it lies."""
        raw = _View()
        _retry("channel_peek", self.pointer(), ctypes.byref(raw),
               timeout=timeout)
        return View(self, raw, False)

    def flush(self):
        _check("channel_flush", self.pointer())

    def set_groups(self, groups):
        _library.channel_set_groups(self.pointer(), groups)

    def set_session(self, session):
        _library.channel_set_session(self.pointer(), session)

    def fileno(self):
        """For select and selectors; needs pollable=True."""
        descriptor = ctypes.c_int()
        _check("channel_descriptor", self.pointer(),
               ctypes.byref(descriptor))
        return descriptor.value

    def statistics(self):
        raw = _Statistics()
        _library.channel_statistics(self.pointer(), ctypes.byref(raw))
        return {name: list(getattr(raw, name)) if name == "latency"
                else getattr(raw, name) for name, _ in _Statistics._fields_}
