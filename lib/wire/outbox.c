/* SPDX-License-Identifier: MIT */
#include "outbox.h"

static struct wire_outbox_entry *
entry_of(struct wire_outbox *outbox, uint64_t id)
{
	for (unsigned i = 0; i < WIRE_OUTBOX_MAX; i++)
		if (outbox->entry[i].id == id)
			return &outbox->entry[i];
	return NULL;
}

status_t
wire_outbox_add(struct arena *arena, struct wire_outbox *outbox,
    uint64_t now_ns, const struct message *request)
{
	struct wire_outbox_entry *entry = entry_of(outbox, 0);
	uint64_t id = now_ns > outbox->last_id ? now_ns : outbox->last_id + 1;

	if (entry == NULL)
		return ERR_FULL;
	if (TX_SET(arena, outbox->last_id, id) != OK ||
	    tx_add(arena, entry, sizeof(*entry)) != OK)
		return ERR_NOMEM;
	*entry = (struct wire_outbox_entry){ id, *request };
	entry->request.word[WIRE_ID_WORD] = id;
	return OK;
}

const struct wire_outbox_entry *
wire_outbox_first(const struct wire_outbox *outbox)
{
	const struct wire_outbox_entry *first = NULL;

	for (unsigned i = 0; i < WIRE_OUTBOX_MAX; i++) {
		const struct wire_outbox_entry *entry = &outbox->entry[i];

		if (entry->id != 0 && (first == NULL || entry->id < first->id))
			first = entry;
	}
	return first;
}

status_t
wire_outbox_done(struct arena *arena, struct wire_outbox *outbox, uint64_t id)
{
	struct wire_outbox_entry *entry = id == 0 ? NULL :
	    entry_of(outbox, id);

	return entry == NULL ? ERR_NOENT : TX_SET(arena, entry->id, 0);
}

static const struct wire_kept *
kept_of(const struct wire_kept_table *table, uint64_t badge)
{
	for (unsigned i = 0; i < WIRE_KEPT_MAX; i++)
		if (table->entry[i].badge == badge)
			return &table->entry[i];
	return NULL;
}

wire_keyed
wire_kept_find(const struct wire_kept_table *table, uint64_t badge,
    uint64_t id, struct message *out_reply)
{
	const struct wire_kept *kept = kept_of(table, badge);

	if (id == 0 || badge == 0)
		return WIRE_OLD;
	if (kept == NULL || id > kept->id)
		return WIRE_NEW;
	if (id < kept->id)
		return WIRE_OLD;
	*out_reply = kept->reply;
	return WIRE_KEPT;
}

status_t
wire_kept_put(struct arena *arena, struct wire_kept_table *table,
    uint64_t badge, uint64_t id, const struct message *reply)
{
	const struct wire_kept *found = kept_of(table, badge);
	struct wire_kept *kept;

	if (found == NULL)
		found = kept_of(table, 0);
	if (found == NULL)
		return ERR_FULL;
	kept = &table->entry[found - table->entry];
	if (tx_add(arena, kept, sizeof(*kept)) != OK)
		return ERR_NOMEM;
	*kept = (struct wire_kept){ badge, id, *reply };
	return OK;
}
