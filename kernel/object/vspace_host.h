/* SPDX-License-Identifier: MIT */
/* What the tests of address spaces share: a payer, spaces loaded on all CPUs,
 * accesses through their TLBs, and the leak check. One test file includes it. */
#pragma once

#include <kernel/arch/host/access.h>
#include <kernel/arch/host/host.h>
#include <kernel/core/epoch.h>
#include <kernel/core/frame.h>
#include <kernel/object/container.h>
#include <kernel/object/vspace.h>
#include <lib/test/ktap.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#define RAM		(64ul << 20)
#define CPUS		3u
#define BASE		0x7f0000000000ul
#define RW		(MAP_READ | MAP_WRITE)
#define RWX		(MAP_READ | MAP_WRITE | MAP_EXEC)

static uint64_t random_state = 1;
static struct container *payer;
static uint64_t frames_at_start;

static __attribute__((unused)) uint64_t
random_below(uint64_t limit)
{
	random_state = random_state * 6364136223846793005ul +
	    1442695040888963407ul;
	return (random_state >> 33) % limit;
}

static __attribute__((unused)) uint64_t
frames_free(void)
{
	struct frame_statistics statistics;

	frame_get_statistics(&statistics);
	return statistics.free;
}

static __attribute__((unused)) void
reap_all(void)
{
	while (object_reap_step())
		;
}

static __attribute__((unused)) void
begin(void)
{
	frames_at_start = frames_free();
	EXPECT_EQ(container_create(&root_container, ~0ul, ~0ul, &payer), OK);
}

/* The leak check of every test. */
static __attribute__((unused)) void
end(void)
{
	host_become_cpu(0);
	reap_all();
	EXPECT_EQ(payer->frames_used, 0);
	EXPECT_EQ(payer->objects_used, 0);
	object_release(&payer->object);
	reap_all();
	EXPECT_EQ(root_container.frames_used, 0);
	EXPECT_EQ(frames_free(), frames_at_start);
	EXPECT(frame_ok());
}

static __attribute__((unused)) struct memory *
make_memory(uint64_t pages)
{
	struct memory *memory = NULL;

	EXPECT_EQ(memory_create(payer, pages * PAGE_SIZE, 0, 0, &memory), OK);
	return memory;
}

/* Loaded on every CPU. */
static __attribute__((unused)) void
enter_everywhere(struct vspace *vspace)
{
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		host_become_cpu(cpu);
		host_space_enter(vspace);
	}
	host_become_cpu(0);
}

static __attribute__((unused)) struct vspace *
make_vspace(void)
{
	struct vspace *vspace = NULL;

	EXPECT_EQ(vspace_create(payer, &vspace), OK);
	enter_everywhere(vspace);
	return vspace;
}

static __attribute__((unused)) void
drop_vspace(struct vspace *vspace)
{
	EXPECT(vspace_ok(vspace));
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		host_become_cpu(cpu);
		host_space_leave(vspace);
	}
	host_become_cpu(0);
	object_release(&vspace->object);
}

static __attribute__((unused)) status_t
unmap(struct vspace *vspace, vaddr_t address, uint64_t length)
{
	status_t status;

	while ((status = vspace_unmap(vspace, &address, &length)) == ERR_RETRY)
		;
	return status;
}

static __attribute__((unused)) status_t
fork_into(struct vspace *source, struct vspace *destination)
{
	vaddr_t cursor = 0;
	status_t status;

	while ((status = vspace_clone(source, destination, payer,
	    &cursor)) == ERR_RETRY)
		;
	return status;
}

static __attribute__((unused)) void
store(struct vspace *vspace, uint64_t page, uint64_t value)
{
	EXPECT_EQ(host_user_store(vspace, BASE + page * PAGE_SIZE, value), OK);
}

static __attribute__((unused)) uint64_t
load(struct vspace *vspace, uint64_t page)
{
	uint64_t value = ~0ul;

	EXPECT_EQ(host_user_load(vspace, BASE + page * PAGE_SIZE, &value), OK);
	return value;
}

static __attribute__((unused)) status_t
try_load(struct vspace *vspace, uint64_t page)
{
	uint64_t value;

	return host_user_load(vspace, BASE + page * PAGE_SIZE, &value);
}

static __attribute__((unused)) status_t
try_store(struct vspace *vspace, uint64_t page)
{
	return host_user_store(vspace, BASE + page * PAGE_SIZE, 99);
}

static __attribute__((unused)) status_t
resize(struct memory *memory, uint64_t pages)
{
	status_t status;

	while ((status = memory_resize(memory, pages * PAGE_SIZE)) ==
	    ERR_RETRY)
		;
	return status;
}

static __attribute__((unused)) int
setup(void)
{
	host_boot(RAM, CPUS);
	return 0;
}
