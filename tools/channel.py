# SPDX-License-Identifier: MIT
"""The host's end of the control channel (docs/design/control-channel.md).

Pure: bytes come in by feed(), bytes to send come out of the sender. Nothing
here knows of file descriptors, so the tests drive it directly.
"""

import struct
import zlib

DATA_MAX = 1024
INPUT_MAX = 256
WINDOW = 4          # host frames sent and not yet acknowledged
OVERHEAD = 9        # type, sequence, CRC
SEQUENCED = b"OETXLRIZCW"     # the others have no place in the order

HEADER = struct.Struct("<BI")
U32 = struct.Struct("<I")
WORD = 1 << 32


class ChannelError(Exception):
    """The guest broke the protocol: bytes were lost for good."""


def cobs_encode(data):
    out = bytearray()
    for part in data.split(b"\0"):
        while len(part) >= 254:
            out.append(255)
            out += part[:254]
            part = part[254:]
        out.append(len(part) + 1)
        out += part
    return bytes(out)


def cobs_decode(data):
    """Returns the decoded bytes, or None if the frame was cut short."""
    parts = []
    at, end = 0, len(data)
    while at < end:
        code = data[at]
        following = at + code
        if following > end:
            return None
        parts.append(data[at + 1:following])
        # The end of the frame stands for the last zero.
        if code != 255 and following < end:
            parts.append(b"\0")
        at = following
    return b"".join(parts)


def encode_frame(kind, sequence, data=b""):
    plain = HEADER.pack(kind, sequence % WORD) + data
    return cobs_encode(plain + U32.pack(zlib.crc32(plain))) + b"\0"


def decode_frame(wire):
    """Returns (kind, sequence, data), or None if the frame is damaged."""
    plain = cobs_decode(wire)
    if plain is None or not OVERHEAD <= len(plain) <= OVERHEAD + DATA_MAX:
        return None
    body = plain[:-4]
    if zlib.crc32(body) != U32.unpack_from(plain, len(body))[0]:
        return None
    kind, sequence = HEADER.unpack_from(body)
    return kind, sequence, body[5:]


def words(data, count):
    if len(data) != 4 * count:
        raise ChannelError(f"frame of {len(data)} bytes, {4 * count} expected")
    return struct.unpack(f"<{count}I", data)


class Receiver:
    """Turns bytes of the line into frames, each once and in order."""

    def __init__(self):
        self.expected = 0
        self.partial = b""
        self.damaged = 0        # frames dropped: cut or bad CRC
        self.duplicates = 0     # frames dropped: sent again after a restart

    def feed(self, data):
        """Returns the list of (kind, data) that `data` completes."""
        pieces = (self.partial + data).split(b"\0")
        # A line of garbage without a zero must not pile up.
        self.partial = pieces.pop()[-4096:]
        events = []
        for wire in pieces:
            if not wire:
                continue
            frame = decode_frame(wire)
            if frame is None:
                self.damaged += 1
            elif frame[0] not in SEQUENCED or self.is_next(frame):
                events.append((chr(frame[0]), frame[2]))
        return events

    def is_next(self, frame):
        ahead = (frame[1] - self.expected) % WORD
        if ahead == 0:
            self.expected = (self.expected + 1) % WORD
            return True
        if ahead >= WORD // 2:
            self.duplicates += 1
            return False
        raise ChannelError(f"frames {self.expected} to {frame[1] - 1} of the "
                           f"guest were lost")


class Sender:
    """Holds input until the guest has acknowledged it.

    Nothing is sent before the first hello: a serial line without a reader
    loses bytes. Sequence numbers here are not wrapped; the line wraps them.
    """

    def __init__(self):
        self.waiting = []       # frames from `first` on: (kind, data)
        self.first = 0          # sequence of the oldest not acknowledged
        self.sent = 0           # sequence of the next to be sent
        self.sent_ever = 0      # a hello makes `sent` go back, not this
        self.open = False       # the guest said hello
        self.ended = False

    def put_input(self, data):
        for at in range(0, len(data), INPUT_MAX):
            self.waiting.append((ord("I"), data[at:at + INPUT_MAX]))

    def put_end(self):
        if not self.ended:
            self.ended = True
            self.waiting.append((ord("Z"), b""))

    def put_size(self, data):
        """Rows and columns of the terminal."""
        self.waiting.append((ord("W"), data))

    def put_control(self, text):
        self.waiting.append((ord("C"), text))

    def backlog(self):
        return len(self.waiting)

    def acknowledge(self, sequence):
        """The guest has everything before `sequence`."""
        count = (sequence - self.first) % WORD
        if count >= WORD // 2:
            return              # an old acknowledgement
        if count > self.sent_ever - self.first:
            raise ChannelError(f"guest acknowledged {sequence}, "
                               f"never sent")
        del self.waiting[:count]
        self.first += count
        self.sent = max(self.sent, self.first)

    def hello(self, sequence):
        """A console started: send again what it does not have."""
        self.acknowledge(sequence)
        self.sent = self.first
        self.open = True

    def take(self):
        """Returns the bytes that may go out now."""
        out = b""
        while (self.open and self.sent < self.first + WINDOW
               and self.sent - self.first < len(self.waiting)):
            kind, data = self.waiting[self.sent - self.first]
            out += encode_frame(kind, self.sent, data)
            self.sent += 1
        self.sent_ever = max(self.sent_ever, self.sent)
        return out
