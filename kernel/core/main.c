/* SPDX-License-Identifier: MIT */
/*
 * Start: builds init's address space, table and first capabilities from the
 * embedded image, and runs it. Everything else is init's and phoenix's affair.
 */
#include <kernel/core/frame.h>
#include <kernel/core/log.h>
#include <kernel/core/panic.h>
#include <kernel/core/sched.h>
#include <kernel/core/string.h>
#include <kernel/core/syscall.h>
#include <kernel/object/container.h>
#include <kernel/object/death.h>
#include <kernel/object/ioport.h>
#include <kernel/object/memory.h>
#include <kernel/object/table.h>
#include <kernel/object/thread_calls.h>
#include <kernel/object/vspace.h>

#include <abi/boot.h>
#include <machine/section.h>

#define INIT_SLOTS 4096u

extern const char init_image_start[], init_image_end[];

static struct memory *clock_memory;

static BOOT_CODE void
must(status_t status, const char *what)
{
	if (status != OK)
		kernel_panic("start: %s: status %lu", what, status);
}

static BOOT_CODE struct memory *
new_memory(uint64_t size, uint32_t flags, paddr_t physical)
{
	struct memory *memory;

	must(memory_create(&root_container, size, flags, physical, &memory),
	    "memory");
	return memory;
}

static BOOT_CODE void
insert(struct table *table, uint64_t at, struct object *object, unsigned type)
{
	cap_t cap;

	must(table_insert_new(table, at, object, type, &cap), "capability");
}

/* Copies part of the image into fresh pages and maps them. */
static BOOT_CODE void
map_part(struct vspace *vspace, vaddr_t address, const char *from,
    uint64_t file_size, uint64_t size, unsigned flags)
{
	if (size == 0)
		return;
	struct memory *memory = new_memory(size, 0, 0);
	must(memory_write(memory, 0, from, file_size), "image");
	must(vspace_map(vspace, address, memory, 0, size, flags), "image map");
	object_release(&memory->object);
}

static BOOT_CODE vaddr_t
map_image(struct vspace *vspace)
{
	const struct init_image *image = (const void *)init_image_start;
	uint64_t available = (uint64_t)(init_image_end - init_image_start);

	if (available < sizeof(*image) || image->magic != INIT_MAGIC ||
	    image->text_size + image->data_size > available)
		kernel_panic("start: the init image is malformed");
	map_part(vspace, INIT_BASE, init_image_start, image->text_size,
	    image->text_size, MAP_READ | MAP_EXEC);
	map_part(vspace, INIT_BASE + image->text_size,
	    init_image_start + image->text_size, image->data_size,
	    image->data_size + image->bss_size, MAP_READ | MAP_WRITE);
	map_part(vspace, INIT_STACK_TOP - INIT_STACK_SIZE, NULL, 0,
	    INIT_STACK_SIZE, MAP_READ | MAP_WRITE);
	return image->entry;
}

static BOOT_CODE void
map_boot_info(struct vspace *vspace, const struct boot_handoff *handoff)
{
	static struct boot_info info;
	struct memory *memory = new_memory(PAGE_SIZE, 0, 0);

	_Static_assert(sizeof(info) <= PAGE_SIZE, "boot_info is one page");
	info.archive_size = handoff->archive_size;
	info.cpus = cpu_count;
	info.memory_bytes = handoff->memory_bytes;
	info.wall_clock_s = handoff->wall_clock_s;
	for (unsigned i = 0; i + 1 < sizeof(info.command_line) &&
	    handoff->command_line != NULL && handoff->command_line[i] != 0; i++)
		info.command_line[i] = handoff->command_line[i];
	must(memory_write(memory, 0, &info, sizeof(info)), "boot info");
	must(vspace_map(vspace, INIT_BOOT_INFO, memory, 0, PAGE_SIZE, MAP_READ),
	    "boot info map");
	object_release(&memory->object);
}

static BOOT_CODE void
fill_table(struct table *table, struct vspace *vspace, struct thread *thread,
    const struct boot_handoff *handoff)
{
	static struct object system = { .type = OBJ_SYSTEM, .references = 1 };
	struct ioport *ports;
	uint64_t archive_pages = (handoff->archive_size + PAGE_MASK) &
	    ~PAGE_MASK;

	must(ioport_create(&root_container, 0, 65536, &ports), "ports");
	insert(table, CAP_INDEX(INIT_TABLE), &table->object, OBJ_TABLE);
	insert(table, CAP_INDEX(INIT_VSPACE), &vspace->object, OBJ_VSPACE);
	insert(table, CAP_INDEX(INIT_THREAD), &thread->object, OBJ_THREAD);
	insert(table, CAP_INDEX(INIT_CONTAINER), &root_container.object,
	    OBJ_CONTAINER);
	insert(table, CAP_INDEX(INIT_SYSTEM), &system, OBJ_SYSTEM);
	if (archive_pages != 0)
		insert(table, CAP_INDEX(INIT_ARCHIVE), &new_memory(archive_pages,
		    MEMORY_PHYSICAL, handoff->archive)->object, OBJ_MEMORY);
	clock_memory = new_memory(PAGE_SIZE, MEMORY_CONTIGUOUS, 0);
	arch_clock_page_fill(arch_frame_pointer(clock_memory->base),
	    handoff->wall_clock_s);
	insert(table, CAP_INDEX(INIT_CLOCK_PAGE), &clock_memory->object,
	    OBJ_MEMORY);
	insert(table, CAP_INDEX(INIT_IOPORTS), &ports->object, OBJ_IOPORT);
}

static BOOT_CODE void
build_init(const struct boot_handoff *handoff)
{
	struct table *table;
	struct vspace *vspace;
	struct thread *thread;
	struct memory *utcb = new_memory(PAGE_SIZE, MEMORY_CONTIGUOUS, 0);
	struct thread_setup setup = {
		.flags = THREAD_NO_FPU,
		.schedule = CLASS_RECOVERY | WEIGHT_DEFAULT << 8,
	};

	must(table_create(&root_container, INIT_SLOTS, &table), "table");
	must(vspace_create(&root_container, &vspace), "vspace");
	must(thread_create(&root_container, &thread), "thread");
	thread->frame.rip = map_image(vspace);
	thread->frame.rsp = INIT_STACK_TOP;
	thread->frame.rdi = INIT_BOOT_INFO;
	map_boot_info(vspace, handoff);
	must(vspace_map(vspace, INIT_UTCB, utcb, 0, PAGE_SIZE,
	    MAP_READ | MAP_WRITE | MAP_NOCLONE), "utcb map");
	fill_table(table, vspace, thread, handoff);
	must(thread_setup(thread, table, vspace, utcb, NULL, &setup), "setup");
	thread->arch.frame_full = 1;
	arch_frame_sanitize(thread);
	init_thread = thread;
}

static BOOT_CODE void
start(const struct boot_handoff *handoff)
{
	struct frame_statistics frames;

	sched_init_cpu(this_cpu(), 0);
	root_container.object.type = OBJ_CONTAINER;
	root_container.object.references = 1;
	frame_get_statistics(&frames);
	root_container.frames_limit = frames.free;
	root_container.objects_limit = ~0ul;
	log_print("bennu: %u CPUs, %lu MiB free\n", cpu_count,
	    frames.free >> (20 - PAGE_SHIFT));
	build_init(handoff);
}

_Noreturn void
kernel_main(const struct boot_handoff *handoff)
{
	start(handoff);
	arch_start_secondary_cpus();
	/* The boot stage is gone. Nothing ran on any CPU before this point. */
	if (thread_start(init_thread) != OK)
		kernel_panic("init does not start");
	boot_user_tsc = arch_tsc();
	kernel_exit();
	arch_enter_user();
}
_Noreturn void
kernel_main_secondary(void)
{
	kernel_exit();
	arch_enter_user();
}
