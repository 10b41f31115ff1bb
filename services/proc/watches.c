/* SPDX-License-Identifier: MIT */
/*
 * Watchers (idl/watch.capnp): lib/proc keeps them, this gives their event pairs
 * out, signals their notifications and watches the console for them.
 *
 * The badge of a watcher is never used again, as that of an open terminal.
 */
#include "shell.h"

#include <idl/console_client.h>
#include <idl/watches_server.h>
#include <idl/watcher_server.h>
#include <lib/base/string.h>

static struct watches *watches;		/* in the arena */

struct watches_context {
	struct process *process;	/* that calls */
};

struct watcher_context {
	struct proc_watcher *watcher;
};

/* For the core. Before the commit: who looks too early looks at the object. */
void
watches_signal(void *context, uint64_t notification, uint64_t bits)
{
	sys_signal((cap_t)notification, bits);
}

static int
give(struct service_call *call, const struct process *process,
    cap_t notification, struct proc_watcher *watcher)
{
	cap_t session;

	if (service_cap_keep(notification) != OK)
		return E_NOMEM;
	watcher->notification = notification;
	if (service_give_session(call,
	    (cap_t)process->handle[HANDLE_CONTAINER], watcher->badge,
	    &session) != OK)
		return E_NFILE;
	watcher->session = session;
	return 0;
}

static unsigned
handle_open(struct watches_context *context, struct service_call *call,
    const struct watches_open_args *in)
{
	struct proc_watcher *watcher;

	if (in->notification == CAP_NONE)
		return E_INVAL;
	if (TX_SET(service_arena(), watches->next_badge,
	    watches->next_badge + 1) != OK)
		return E_NOMEM;
	int error = proc_watcher_create(&proc, context->process,
	    PROC_BADGE_WATCHER | (watches->next_badge - 1), &watcher);
	if (error == 0)
		error = give(call, context->process, in->notification, watcher);
	return (unsigned)error;
}

static unsigned
handle_wake(struct watches_context *context, struct service_call *call,
    const struct watches_wake_args *in, struct watches_wake_results *out)
{
	const uint64_t key[2] = { in->key_low, in->key_high };

	return (unsigned)proc_wake(&proc, key, &out->left);
}

/* A terminal is watched as one; then its line discipline listens. */
static unsigned
listen(void)
{
	return granted.terminal ? 0 : console_listen(granted.console,
	    BIT_CONSOLE, PLACE_NOTIFICATION) == 0 ? 0 : E_IO;
}

static unsigned
handle_console(struct watches_context *context, struct service_call *call,
    struct watches_console_results *out)
{
	uint8_t random[32];

	if (watches->console[0] == 0) {
		seed_next(random);
		random[0] |= 1;
		if (tx_add(service_arena(), watches->console,
		    sizeof(watches->console)) != OK)
			return E_NOMEM;
		memcpy(watches->console, random, sizeof(watches->console));
		if (listen() != 0)
			return E_IO;
	}
	out->key_low = watches->console[0];
	out->key_high = watches->console[1];
	return 0;
}

void
watches_console_changed(void)
{
	bool left;

	if (watches->console[0] != 0 &&
	    proc_wake(&proc, watches->console, &left) != 0)
		service_panic("a transaction is too large");
}

/* -- through a watcher -- */

static unsigned
handle_add(struct watcher_context *context, struct service_call *call,
    const struct watcher_add_args *in)
{
	const struct proc_watch_name name = {
		{ in->key_low, in->key_high }, in->bits,
		(in->flags & WATCHER_FLAG_EXCLUSIVE) != 0,
	};

	return (unsigned)proc_watch_add(&proc, context->watcher, &name);
}

static unsigned
handle_remove(struct watcher_context *context, struct service_call *call,
    const struct watcher_remove_args *in)
{
	const struct proc_watch_name name = {
		{ in->key_low, in->key_high }, in->bits,
		(in->flags & WATCHER_FLAG_EXCLUSIVE) != 0,
	};

	return (unsigned)proc_watch_remove(&proc, context->watcher, &name);
}

static unsigned
handle_name(struct watcher_context *context, struct service_call *call,
    const struct watcher_name_args *in)
{
	return (unsigned)proc_watcher_name(&proc, context->watcher,
	    (uint64_t[]){ in->key_low, in->key_high });
}

static const struct watches_operations session_operations = {
	.open = handle_open,
	.wake = handle_wake,
	.console = handle_console,
};

static const struct watcher_operations operations = {
	.add = handle_add,
	.remove = handle_remove,
	.name = handle_name,
};

service_outcome
watches_session(struct service_call *call, struct process *process)
{
	struct watches_context context = { process };

	return watches_dispatch(&session_operations, &context, call);
}

service_outcome
watches_request(struct service_call *call)
{
	struct watcher_context context = {
		proc_watcher_find(&proc, call->badge) };

	return context.watcher == NULL ? wire_refuse(call, E_STALE) :
	    watcher_dispatch(&operations, &context, call);
}

void
watches_closed(uint64_t badge)
{
	struct proc_watcher *watcher = proc_watcher_find(&proc, badge);

	if (watcher == NULL)
		return;
	if (service_cap_drop((cap_t)watcher->session) != OK ||
	    service_cap_drop((cap_t)watcher->notification) != OK ||
	    proc_watcher_end(&proc, watcher) != 0)
		service_panic("a transaction is too large");
}

void
watches_start(struct watches *in)
{
	watches = in;
	watches->next_badge = 1;
}

void
watches_resume(struct watches *in)
{
	watches = in;
	/* The event of one that was undone names the next badge. */
	if (TX_SET(service_arena(), watches->next_badge,
	    watches->next_badge + 1) != OK)
		service_panic("undo log full");
	/* Who owed a wake when the last incarnation ended asks again. */
	if (watches->console[0] != 0 && listen() != 0)
		service_panic("the console does not tell");
}
