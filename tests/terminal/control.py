# SPDX-License-Identifier: MIT
"""The control prompt of ./bennu run: commands to the supervisor."""

ASH = ["/bin/busybox", "ash"]
ESCAPE = "\x01"


def command(t, text, pattern):
    t.type(ESCAPE + "c")
    t.expect("\\(bennu\\) ")
    t.enter(text)
    t.expect("\r\n")
    return t.expect(pattern)


def incarnation(t, service):
    found = command(t, "ps", f"\n{service} +ready +([0-9]+) [^\n]*\r\n")
    t.expect("\nstorage [^\n]*\r\n" if service != "storage" else "")
    return int(found.group(1))


def answers(t):
    t.prompt()
    before = incarnation(t, "storage")
    command(t, "kill storage", "storage: incarnation [0-9]+ killed\r\n")
    t.quiet(0.3)
    assert incarnation(t, "storage") == before + 1
    command(t, "kill nothing", "nothing: no such service\r\n")
    command(t, "logs", "all services are ready\r\n")
    t.quiet(0.3)
    t.enter("")
    t.prompt()
    t.ask("echo al''ive", "alive\r\n")


def kills_console(t):
    """It cannot tell whether phoenix was asked, and does not ask again."""
    t.prompt()
    before = incarnation(t, "console")
    command(t, "kill console", "interrupted: [^\n]*\r\n")
    t.quiet(0.3)
    assert incarnation(t, "console") == before + 1
    command(t, "kill phoenix", "phoenix: incarnation 1 killed\r\n")
    t.enter("")
    t.prompt()
    t.ask("echo al''ive", "alive\r\n")


TESTS = [(function.__name__, ASH, function)
         for function in (answers, kills_console)]
KILLED = ()
