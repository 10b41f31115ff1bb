/* SPDX-License-Identifier: MIT */
/* The channel graph of the broker (graph.h), for the channel library. */
#pragma once

#include <lib/channel/hosted/hosted.h>
#include <lib/channel/port.h>

/*
 * Whoever handles a message of the parent may wait for an answer of the child:
 * both are members of this process, as receiver and as sender. ERR_STATE if
 * somebody could wait in a circle then. Until the parent closes.
 */
status_t channel_hosted_depend(struct channel_domain *domain,
    const struct channel_member *parent, const struct channel_member *child);
