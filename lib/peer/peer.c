/* SPDX-License-Identifier: MIT */
/* Peers: see peer.h. */
#include <lib/peer/peer.h>

#define UTCB ((struct utcb *)PLACE_UTCB)

/* Used by the clone only, so one is enough for any number of peers. */
static char peer_stack[16384] __attribute__((aligned(16)));

static status_t
create_objects(struct peer *peer)
{
	cap_t pays = peer->container != 0 ? peer->container : PLACE_CONTAINER;
	status_t status = sys_object_create(OBJ_VSPACE, pays, 0, 0,
	    &peer->vspace);

	if (status == OK)
		status = sys_object_create(OBJ_THREAD, pays, 0, 0,
		    &peer->thread);
	if (status == OK)
		status = sys_object_create(OBJ_MEMORY, pays, PAGE_SIZE,
		    MEMORY_CONTIGUOUS, &peer->utcb);
	return status;
}

static status_t
clone_space(const struct peer *peer)
{
	const struct place_info *info = (const void *)PLACE_INFO;
	cap_t pays = peer->container != 0 ? peer->container : PLACE_CONTAINER;
	status_t status = sys_invoke(SYS_VSPACE_CLONE, info->vspace,
	    peer->vspace, pays, 0, 0, 0).status;

	if (status != OK)
		return status;
	/* In case the clone has ours. */
	sys_unmap(peer->vspace, PLACE_UTCB, PAGE_SIZE);
	return sys_map(peer->vspace, PLACE_UTCB, peer->utcb, 0, PAGE_SIZE,
	    MAP_READ | MAP_WRITE | MAP_NOCLONE);
}

static status_t
start_thread(const struct peer *peer, void (*entry)(void),
    void (*upcall_entry)(void))
{
	struct thread_setup *setup = (struct thread_setup *)UTCB->data;
	struct user_frame *frame = (struct user_frame *)UTCB->data;

	*setup = (struct thread_setup){
		.flags = THREAD_NO_FPU | (upcall_entry ? THREAD_REDIRECT : 0),
		.schedule = peer->class | WEIGHT_DEFAULT << 8,
		.native_low = USER_LOW, .native_high = USER_HIGH,
		.redirect_entry = (uint64_t)upcall_entry,
		.upcall_entry = (uint64_t)upcall_entry,
	};
	status_t status = sys_invoke(SYS_THREAD_SETUP, peer->thread,
	    peer->table, peer->vspace, peer->utcb, 0, 0).status;
	if (status != OK)
		return status;
	*frame = (struct user_frame){
		.rip = (uint64_t)entry,
		.rsp = (uint64_t)(peer_stack + sizeof(peer_stack) - 8),
	};
	status = sys_invoke(SYS_THREAD_WRITE, peer->thread, 0, 0, 0, 0,
	    0).status;
	if (status == OK)
		status = sys_invoke(SYS_THREAD_START, peer->thread, 0, 0, 0, 0,
		    0).status;
	return status;
}

status_t
peer_start(struct peer *peer, void (*entry)(void), void (*upcall_entry)(void))
{
	peer->thread = peer->vspace = peer->utcb = CAP_NONE;
	status_t status = create_objects(peer);

	if (status == OK)
		status = clone_space(peer);
	if (status == OK)
		status = start_thread(peer, entry, upcall_entry);
	if (status != OK)
		peer_stop(peer);
	return status;
}

void
peer_stop(struct peer *peer)
{
	sys_invoke(SYS_THREAD_KILL, peer->thread, 0, 0, 0, 0, 0);
	sys_cap_delete(0, peer->thread);
	sys_cap_delete(0, peer->vspace);
	sys_cap_delete(0, peer->utcb);
	peer->thread = peer->vspace = peer->utcb = CAP_NONE;
}
