#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the host's terminal as ./bennu run hands it to the guest."""

import os
import signal
import sys
import tempfile
import unittest

import ktap
import terminal
from host_terminal import Keys, Prompt, visible

TOOLS = os.path.dirname(os.path.abspath(__file__))


class KeysTest(unittest.TestCase):
    def test_all_but_the_escape_passes(self):
        data = bytes(i for i in range(256) if i != 1)
        self.assertEqual(Keys().feed(data), [("input", data)])

    def test_escape_may_come_in_two_pieces(self):
        keys = Keys()
        self.assertEqual(keys.feed(b"a\x01"), [("input", b"a")])
        self.assertEqual(keys.feed(b"xb"), [("quit", b""), ("input", b"b")])

    def test_escaped_escape_is_itself(self):
        self.assertEqual(Keys().feed(b"\x01\x01b"),
                         [("input", b"\x01"), ("input", b"b")])

    def test_prompt_gets_what_follows(self):
        self.assertEqual(Keys().feed(b"\x01cps\r\x01x"),
                         [("prompt", b"ps\r\x01x")])

    def test_unknown_key_shows_the_list(self):
        self.assertEqual(Keys().feed(b"\x01q"), [("help", b"")])


class PromptTest(unittest.TestCase):
    def test_line_is_edited(self):
        prompt = Prompt()
        show, rest = prompt.feed(b"no\x15kix\x7fll\rls\n")
        self.assertEqual((prompt.line, prompt.done), (b"kill", True))
        self.assertEqual(rest, b"ls\n")
        self.assertEqual(show, b"no\b \b\b \bkix\b \bll\r\n")

    def test_erase_stops_at_the_start(self):
        prompt = Prompt()
        self.assertEqual(prompt.feed(b"\x7f\x7f")[0], b"")

    def test_given_up_line_is_empty(self):
        prompt = Prompt()
        prompt.feed(b"kill all\x03")
        self.assertEqual((prompt.line, prompt.done), (b"", True))

    def test_an_answer_cannot_move_the_cursor(self):
        self.assertEqual(visible(b"a\x1b[2J\tb\xff\n"), "a?[2J b\ufffd")


class RunTest(unittest.TestCase):
    """./bennu run on a pseudo-terminal, with the guest of fake_qemu.py."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        root = os.path.join(self.folder.name, "root.cpio")
        with open(root, "wb"):
            pass
        self.argv = [sys.executable, os.path.join(TOOLS, "run.py"), "--root",
                     root]
        self.environment = dict(
            os.environ, BENNU_QEMU=os.path.join(TOOLS, "fake_qemu.py"),
            BENNU_BOOT_TIMEOUT="5", TMPDIR=self.folder.name,
            PYTHONDONTWRITEBYTECODE="1")

    def tearDown(self):
        self.folder.cleanup()

    def start(self, *options):
        line = terminal.Terminal(
            self.argv + [*options, "--", "terminal"], rows=33, columns=99,
            environment=self.environment)
        self.addCleanup(line.__exit__)
        self.before = line.modes()
        return line

    def started(self):
        line = self.start()
        line.expect("size 33 99\r\n")
        self.assertNotEqual(line.modes(), self.before)
        return line

    def ended(self, line, code):
        self.assertEqual(line.wait(), code)
        self.assertEqual(line.modes(), self.before)

    def test_every_key_reaches_the_guest(self):
        line = self.started()
        for key in (b"\x03", b"\x1a", b"\x04", b"\r", b"\x11", b"\xff", b"a"):
            line.type(key)
            line.expect(f"key {key.hex()}\\.")
        line.type("\x01\x01")
        line.expect("key 01\\.")

    def test_a_new_size_is_told(self):
        line = self.started()
        line.resize(50, 120)
        line.expect("size 50 120\r\n", seconds=5)

    def test_quit_restores_the_terminal(self):
        line = self.started()
        line.type("\x01x")
        self.ended(line, 0)

    def test_signal_restores_the_terminal(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            line = self.started()
            os.kill(line.pid, number)
            self.ended(line, 128 + number)

    def test_death_of_the_machine_restores_the_terminal(self):
        line = self.started()
        line.type("!")
        self.ended(line, 125)
        line.expect("the machine stopped")

    def test_gone_terminal_ends_the_input(self):
        line = self.started()
        line.close()
        self.assertEqual(line.wait(), 42)

    def test_hang_up_ends_the_input(self):
        line = self.started()
        os.kill(line.pid, signal.SIGHUP)
        self.ended(line, 42)

    def test_command_is_sent_and_answered(self):
        line = self.started()
        line.type("\x01c")
        line.expect("\\(bennu\\) ")
        line.type("kilk\x7fl net\r")
        line.expect("answer to kill net\\?\\?\\[2J\r\nno end\r\n")
        line.type("z")
        line.expect("key 7a\\.")

    def test_output_waits_for_the_prompt(self):
        line = self.started()
        line.type("\x01c")
        line.expect("\\(bennu\\) ")
        line.resize(50, 120)
        line.refuse("size")
        line.type("\x03")
        line.expect("size 50 120")

    def test_refused_terminal_is_left_alone(self):
        line = self.start("--no-terminal")
        line.expect("ready")
        self.assertEqual(line.modes(), self.before)
        line.refuse("size")

    def test_separate_errors_stay_separate(self):
        words = [*self.argv, "--", "terminal"]
        line = terminal.Terminal(
            ["/bin/sh", "-c", 'exec "$@" 2>/dev/null', "sh", *words],
            environment=self.environment)
        self.addCleanup(line.__exit__)
        line.expect("ready")
        line.refuse("size")

    def test_screen_follows_the_cursor(self):
        screen = terminal.Screen(3, 10)
        screen.feed(b"one\r\ntwo\x1b[1;2HX\x1b[K\x1b[3;1Hend\x1b[1mline\r\n")
        self.assertEqual(screen.lines(), ["two", "endline", ""])


if __name__ == "__main__":
    ktap.main()
