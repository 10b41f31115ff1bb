/* SPDX-License-Identifier: MIT */
#include <lib/channel/session_state.h>

/* Where the link to a session is kept: in a neighbour, or at an end. */
static struct link *
link_of(struct session_mux *mux, enum session_list list, uint32_t index)
{
	return index == NONE ? &mux->ends[list] :
	    &mux->session[index].link[list];
}

void
session_list_add(struct session_mux *mux, enum session_list list,
    struct session *session)
{
	uint32_t last = mux->ends[list].previous;

	session->link[list] = (struct link){ last, NONE };
	link_of(mux, list, last)->next = index_of(session);
	mux->ends[list].previous = index_of(session);
}

void
session_list_remove(struct session_mux *mux, enum session_list list,
    struct session *session)
{
	struct link link = session->link[list];

	link_of(mux, list, link.previous)->next = link.next;
	link_of(mux, list, link.next)->previous = link.previous;
}

struct session *
session_list_first(const struct session_mux *mux, enum session_list list)
{
	uint32_t index = mux->ends[list].next;

	return index == NONE ? NULL : &mux->session[index];
}
