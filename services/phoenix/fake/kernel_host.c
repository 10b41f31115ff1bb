/* SPDX-License-Identifier: MIT */
/* What phoenix needs to live on Linux, for a while. */
#include <services/phoenix/fake/world_host.h>

#include <lib/elf/elf.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct world world;
struct phoenix phoenix;
struct trace_page trace[FAKE_PLACES];
uint64_t random_state = 1;
jmp_buf died;

static struct place_info own = { .name = "phoenix", .vspace = 1 };

void
must(bool holds, const char *what)
{
	if (holds)
		return;
	printf("# not so: %s\n", what);
	exit(1);
}

uint64_t
chance(uint64_t of)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % of;
}

/* Each system call of phoenix may be its last. */
static void
step(void)
{
	if (world.steps_left != 0 && --world.steps_left == 0)
		longjmp(died, 1);
}

/* --- The kernel. --- */

static struct object *
object_of(cap_t cap)
{
	return cap < FAKE_OBJECTS && cap < world.count && world.object[cap].alive ?
	    &world.object[cap] : NULL;
}

cap_t
object_add(unsigned type, cap_t table, unsigned place)
{
	if (world.count == FAKE_OBJECTS)
		abort();
	world.object[world.count] = (struct object){ .alive = true,
	    .type = type, .table = table, .place = place };
	return world.count++;
}

void
thread_dies(struct object *thread, uint64_t cause)
{
	struct death_info *info = &world.death[thread->place];

	thread->state = STATE_DEAD;
	info->cause = cause;
	info->count++;
	info->time_ns = world.now;
	world.fired[thread->place] = true;
}

static status_t
start_thread(struct object *thread)
{
	if (thread == NULL || thread->state != STATE_STOPPED)
		return ERR_STATE;
	const struct place *place = &phoenix.place[thread->place];
	uint64_t cold = place->life.cold;
	must(thread->image == place->image.loaded.segment[0].memory,
	    "who starts is of the image that is its place's");
	must(world.cleared[thread->place] ==
	    (cold != world.cold[thread->place]),
	    "who lost its state has another epoch, and nobody else");
	world.cleared[thread->place] = false;
	world.cold[thread->place] = cold;
	thread->state = STATE_RUNNING;
	trace[thread->place].drained = 0;
	return OK;
}

/* One that never ran is dead without a word. */
static status_t
kill_thread(struct object *thread)
{
	if (thread == NULL)
		return ERR_HANDLE;
	must(thread->state != STATE_RUNNING || !world.in_transaction,
	    "a kill is decided before it is done");
	if (thread->state == STATE_RUNNING)
		thread_dies(thread, DEATH_KILLED);
	thread->state = STATE_DEAD;
	return OK;
}

static void
setup_thread_of(struct object *thread)
{
	const struct utcb *utcb = (const struct utcb *)PLACE_UTCB;
	const struct thread_setup *setup =
	    (const struct thread_setup *)utcb->data;

	thread->place = object_of(setup->death)->place;
	thread->image = world.cloned;
	thread->state = STATE_STOPPED;
}

static bool
table_is_empty(cap_t table)
{
	for (unsigned i = 0; i < world.count; i++)
		if (world.object[i].alive && world.object[i].table == table)
			return false;
	return true;
}

static void
clear_table(cap_t table)
{
	for (unsigned i = 0; i < world.count; i++)
		if (world.object[i].table == table)
			world.object[i].alive = false;
}

struct sys_result
fake_invoke(long number, uint64_t a, uint64_t b)
{
	struct utcb *utcb = (struct utcb *)PLACE_UTCB;
	struct object *object = object_of(a);
	struct sys_result r = { .status = OK };

	step();
	switch (number) {
	case SYS_THREAD_START:
		r.status = start_thread(object);
		break;
	case SYS_THREAD_KILL:
		r.status = kill_thread(object);
		break;
	case SYS_THREAD_SETUP:
		setup_thread_of(object);
		break;
	case SYS_THREAD_INFO:
		r.status = object != NULL ? OK : ERR_HANDLE;
		r.value[1] = STATE_BLOCKED;
		break;
	case SYS_MEMORY_CLONE:
		must(object != NULL, "the image is there");
		world.cloned = a;
		r.value[0] = object_add(OBJ_MEMORY, 0, 0);
		break;
	case SYS_MEMORY_INFO:
		world.cleared[object->place] = true;
		r.value[3] = ~0ul;
		break;
	case SYS_MEMORY_RESIZE:
		world.cleared[object->place] = true;
		break;
	case SYS_TABLE_NEXT:
		r.status = table_is_empty(a) ? ERR_EMPTY : OK;
		break;
	case SYS_TABLE_CLEAR:
		clear_table(a);
		break;
	case SYS_ENDPOINT_CLOSE:
		world.closed[object->place] = b == 0;
		break;
	case SYS_DEATH_READ:
		*(struct death_info *)utcb->data = world.death[object->place];
		break;
	case SYS_CONTAINER_INFO:
		r.status = ERR_HANDLE;
		break;
	}
	return r;
}

/* phoenix signals itself as well. */
status_t
fake_signal(cap_t notification, uint64_t bits)
{
	struct object *object = object_of(notification);

	step();
	if (notification != PLACE_NOTIFICATION && object != NULL)
		world.bits[object->place] |= bits;
	return OK;
}

status_t
fake_create(unsigned type, cap_t *out_cap)
{
	step();
	*out_cap = object_add(type, 0, 0);
	return OK;
}

status_t
fake_map(cap_t vspace, uint64_t address, uint64_t length)
{
	step();
	return vspace != own.vspace || mmap((void *)address, length,
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
	    -1, 0) == (void *)address ? OK : ERR_NOMEM;
}

status_t
fake_copy(cap_t source, cap_t table, cap_t *out_cap)
{
	step();
	*out_cap = CAP_NONE;
	if (object_of(source) == NULL)
		return ERR_HANDLE;
	/* The table of the place is full. */
	if (world.full_odds != 0 && chance(world.full_odds) == 0)
		return ERR_LIMIT;
	*out_cap = object_add(OBJ_TYPE_COUNT, table, 0);
	return OK;
}

void
object_delete(cap_t cap)
{
	struct object *object = object_of(cap);

	if (object == NULL)
		return;
	must(object->type != OBJ_THREAD || object->state != STATE_RUNNING,
	    "who is deleted does not run");
	object->alive = false;
}

status_t
fake_delete(cap_t table, cap_t cap)
{
	(void)table;
	step();
	object_delete(cap);
	return OK;
}

/* --- What phoenix stands on. --- */

const struct place_info *
service_info(void)
{
	return &own;
}

uint64_t
service_now_ns(void)
{
	return world.now;
}

struct arena *
service_arena(void)
{
	return NULL;
}

status_t
tx_add(struct arena *arena, void *pointer, size_t length)
{
	uintptr_t offset = (uintptr_t)pointer - (uintptr_t)&phoenix;

	(void)arena;
	must(offset <= sizeof(phoenix) && length <= sizeof(phoenix) - offset,
	    "phoenix saves its own state");
	return OK;
}

status_t
service_cap_keep(cap_t cap)
{
	object_of(cap)->named = true;
	return OK;
}

status_t
service_cap_drop(cap_t cap)
{
	struct object *object = object_of(cap);

	if (world.drops == FAKE_DROPS)
		return ERR_NOMEM;
	if (object != NULL)
		object->named = false;
	world.drop[world.drops++] = cap;
	return OK;
}

status_t
service_effect_signal(cap_t notification, uint64_t bits)
{
	return fake_signal(notification, bits);
}

void
service_crash_point(const char *name)
{
	(void)name;
	step();
}

void
service_log(const char *format, ...)
{
	(void)format;
}

_Noreturn void
service_panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	abort();
}

enum elf_error
elf_parse(const void *data, size_t size, struct elf_image *out)
{
	(void)data, (void)size, (void)out;
	abort();
}

/* Each time another one; some do not load. */
status_t
place_load_image(const struct place *place, const char *name,
    struct image *out_image)
{
	(void)place, (void)name;
	*out_image = (struct image){ 0 };
	if (chance(8) == 0)
		return ERR_NOENT;
	struct place_image *loaded = &out_image->loaded;
	loaded->segment_count = 1;
	loaded->segment[0].flags = MAP_READ | MAP_WRITE;
	fake_create(OBJ_MEMORY, &loaded->segment[0].memory);
	return service_cap_keep(loaded->segment[0].memory);
}

void
place_drop_image(struct image *image)
{
	cap_t memory = image->loaded.segment[0].memory;

	if (memory != CAP_NONE) {
		fake_delete(CAP_NONE, memory);
		service_cap_drop(memory);
	}
	*image = (struct image){ 0 };
}

struct place_builder
place_builder(void)
{
	return (struct place_builder){ .vspace = own.vspace,
	    .utcb = (struct utcb *)PLACE_UTCB };
}

unsigned
place_index(const struct phoenix *of, const struct place *place)
{
	return (unsigned)(place - of->place);
}

void
place_next_group_if_up(struct phoenix *of)
{
	(void)of;
}

void
report_death(const struct phoenix *of, const struct place *place,
    const struct death_info *info)
{
	(void)of, (void)place, (void)info;
}

void
report_now(const struct phoenix *of, const struct place *place)
{
	(void)of, (void)place;
}

void
report_ready(const struct phoenix *of, const struct place *place)
{
	(void)of, (void)place;
}

const struct trace_page *
report_trace(const struct phoenix *of, const struct place *place)
{
	return &trace[place_index(of, place)];
}

uint64_t
service_ticks_ns(uint64_t ticks)
{
	return ticks;
}
