# SPDX-License-Identifier: MIT
"""A person kills services from the shell, in the middle of what they do."""

BASH = ["/bin/bash", "--norc"]
ESCAPE = "\x01"
NUMBER = "([0-9]+)"


def incarnation(t, service):
    """As ctl tells it."""
    t.enter("ctl ps")
    found = t.expect(f"\n{service} +ready +{NUMBER} [^\n]*\r\n")
    t.prompt()
    return int(found.group(1))


def kill_from_host(t, service):
    """At the control prompt, while the shell is busy or in the middle of a
    line. What the console says to that is cut off when it dies itself."""
    t.type(ESCAPE + "c")
    t.expect("\\(bennu\\) ")
    t.enter("kill " + service)
    t.expect("\r\n")
    t.expect("killed\r\n" if service != "console" else
             "interrupted: [^\n]*\r\n")
    t.quiet(0.3)


def storage_in_tar(t):
    t.prompt()
    before = incarnation(t, "storage")
    t.enter("mkdir /tmp/x; tar -cf /tmp/t.tar /bin/tests & "
            "for i in 1 2 3; do ctl kill storage; done; wait; echo do''ne")
    for _ in range(3):
        t.expect("storage: incarnation [0-9]+ killed\r\n")
    t.expect("done\r\n")
    t.prompt()
    t.enter("tar -xf /tmp/t.tar -C /tmp/x & ctl kill storage; "
            "wait $! && echo unp''acked")
    t.expect("unpacked\r\n")
    t.prompt()
    t.ask("cd /bin/tests; n=0; for f in *; do cmp $f /tmp/x/bin/tests/$f && "
          "((n += 1)); done; cd /; set -- /bin/tests/*; "
          "((n == $# && n > 20)) && echo all''same", "allsame\r\n")
    assert incarnation(t, "storage") == before + 4


def proc_in_pipeline(t):
    t.prompt()
    before = incarnation(t, "proc")
    t.enter("(seq 4000; ctl kill proc >&2; seq 4001 8000) | cat | "
            "(ctl kill proc >&2; sort -n) | uniq | md5sum; "
            "seq 8000 | md5sum")
    found = t.expect("([0-9a-f]{32})  -\r\n([0-9a-f]{32})  -\r\n")
    assert found.group(1) == found.group(2)
    t.prompt()
    assert incarnation(t, "proc") == before + 2


def console_in_typing(t):
    t.prompt()
    before = incarnation(t, "console")
    for part in ("echo th", "is li", "ne is who"):
        t.type(part)
        t.expect(part)
        kill_from_host(t, "console")
    t.type("''le")
    t.enter("")
    t.expect("\nthis line is whole\r\n")
    t.prompt()
    assert incarnation(t, "console") == before + 3


def phoenix_at_any_time(t):
    t.prompt()
    before = incarnation(t, "phoenix")
    t.ask("ctl kill phoenix", "phoenix: incarnation [0-9]+ killed\r\n")
    t.ask("ctl kill storage; ctl kill phoenix; ctl kill proc",
          "proc: incarnation [0-9]+ killed\r\n")
    t.enter("seq 5000 | sort -rn | (ctl kill phoenix >&2; tail -n 1)")
    t.expect("\n1\r\n")
    t.prompt()
    t.type("echo ty")
    kill_from_host(t, "phoenix")
    t.enter("''ped")
    t.expect("\ntyped\r\n")
    t.prompt()
    assert incarnation(t, "phoenix") == before + 4


TESTS = [(function.__name__, BASH, function)
         for function in (storage_in_tar, proc_in_pipeline, console_in_typing,
                          phoenix_at_any_time)]
KILLED = ()
