/* SPDX-License-Identifier: MIT */
#include <lib/test/interleave_model.h>

#include <string.h>

/* Places are numbered as they are found; that is no part of a state. */
static struct {
	uintptr_t address;
	uint32_t size;
} places[MODEL_PLACES];
static unsigned place_count;

void
model_reset(struct model *model)
{
	memset(model, 0, sizeof(*model));
	place_count = 0;
}

size_t
model_size(const struct model *model)
{
	return offsetof(struct model, write) +
	    model->writes * sizeof(model->write[0]);
}

/* MODEL_PLACES: there are too many, or it overlaps another. */
static unsigned
find_place(const void *at, uint32_t size)
{
	uintptr_t address = (uintptr_t)at;

	for (unsigned i = 0; i < place_count; i++) {
		if (places[i].address == address && places[i].size == size)
			return i;
		if (places[i].address < address + size &&
		    address < places[i].address + places[i].size)
			return MODEL_PLACES;
	}
	if (place_count == MODEL_PLACES)
		return MODEL_PLACES;
	places[place_count].address = address;
	places[place_count].size = size;
	return place_count++;
}

static unsigned
first_of(const struct model *model, unsigned place)
{
	unsigned first = 0;

	for (unsigned i = 0; i < place; i++)
		first += model->place[i].count;
	return first;
}

static uint64_t
initial_value(unsigned place)
{
	void *address = (void *)places[place].address;

	return places[place].size == 4 ? *(uint32_t *)address :
	    *(uint64_t *)address;
}

static void
join(struct model_view *to, const struct model_view *from)
{
	for (unsigned i = 0; i < MODEL_PLACES; i++) {
		to->seen[i] = to->seen[i] > from->seen[i] ? to->seen[i] :
		    from->seen[i];
		to->known[i] |= from->known[i];
	}
}

/* Calls for each view of the model, except those of writes not in use. */
#define FOR_EACH_VIEW(model, view, body) \
	do { \
		for (unsigned t_ = 0; t_ < MODEL_THREADS; t_++) { \
			view = &(model)->current[t_]; body; \
			view = &(model)->acquired[t_]; body; \
			view = &(model)->released[t_]; body; \
		} \
		for (unsigned w_ = 0; w_ < (model)->writes; w_++) { \
			view = &(model)->write[w_].view; body; \
		} \
		view = &(model)->common; body; \
	} while (0)

/* Makes room for a write behind `index` others of the place. */
static struct model_write *
insert_write(struct model *model, unsigned place, unsigned index)
{
	unsigned at = first_of(model, place) + index;
	struct model_view *view;

	if (model->writes == MODEL_WRITES)
		return NULL;
	if (index < model->place[place].count)
		FOR_EACH_VIEW(model, view,
		    view->seen[place] += view->seen[place] >= index);
	memmove(&model->write[at + 1], &model->write[at],
	    (model->writes - at) * sizeof(model->write[0]));
	memset(&model->write[at], 0, sizeof(model->write[0]));
	model->writes++;
	model->place[place].count++;
	return &model->write[at];
}

static bool
make_place_real(struct model *model, unsigned place)
{
	if (model->place[place].count != 0)
		return true;
	struct model_write *write = insert_write(model, place, 0);
	if (write != NULL)
		write->value = initial_value(place);
	return write != NULL;
}

/* Whether another write can still come directly behind this one. */
static bool
is_open(const struct model *model, unsigned place, unsigned index)
{
	return index + 1 == model->place[place].count ||
	    !model->write[first_of(model, place) + index + 1].attached;
}

static bool
is_update(enum interleave_kind kind)
{
	return kind == INTERLEAVE_EXCHANGE || kind == INTERLEAVE_OR ||
	    kind == INTERLEAVE_AND || kind == INTERLEAVE_SWAP_IF;
}

bool
model_is_local(const struct interleave_access *access)
{
	return access->kind == INTERLEAVE_GET ||
	    access->kind == INTERLEAVE_PUT ||
	    (access->kind == INTERLEAVE_FENCE &&
	    access->order != __ATOMIC_SEQ_CST);
}

static bool
may_take(const struct model *model, unsigned place, unsigned index,
    const struct interleave_access *access)
{
	uint64_t value = model->write[first_of(model, place) + index].value;

	if (access->kind == INTERLEAVE_LOAD)
		return true;
	/* A comparison that fails is a load. */
	if (access->kind == INTERLEAVE_SWAP_IF && value != access->expected)
		return true;
	return is_open(model, place, index);
}

/* The write that the option stands for, newest first; options if none. */
static unsigned
choose(const struct model *model, unsigned thread, unsigned place,
    const struct interleave_access *access, unsigned *inout_option)
{
	unsigned seen = model->current[thread].seen[place];
	unsigned count = model->place[place].count;

	for (unsigned index = count; index-- > seen;) {
		if (!may_take(model, place, index, access))
			continue;
		if ((*inout_option)-- == 0)
			return index;
	}
	return count;
}

unsigned
model_options(struct model *model, unsigned thread,
    const struct interleave_access *access)
{
	unsigned left = MODEL_WRITES;

	if (access->kind != INTERLEAVE_LOAD &&
	    access->kind != INTERLEAVE_STORE && !is_update(access->kind))
		return 1;
	unsigned place = find_place(access->address, access->size);
	/* What is wrong is said by model_apply. */
	if (place == MODEL_PLACES || !make_place_real(model, place))
		return 1;
	choose(model, thread, place, access, &left);
	return MODEL_WRITES - left;
}

static void
learn_read(struct model *model, unsigned thread, unsigned place,
    unsigned index, int order)
{
	const struct model_write *write =
	    &model->write[first_of(model, place) + index];
	struct model_view *current = &model->current[thread];
	struct model_view *acquired = &model->acquired[thread];

	current->seen[place] = (uint8_t)index;
	join(acquired, &write->view);
	if (order != __ATOMIC_RELAXED && order != __ATOMIC_RELEASE)
		join(current, &write->view);
	join(acquired, current);
}

/* Data that others may be reading at this moment must not change. */
static const char *
check_readers(struct model *model, unsigned thread, unsigned place)
{
	struct model_view *view;
	unsigned readers = model->place[place].readers &
	    ~model->current[thread].known[place] & ~(1u << thread);

	if (readers != 0)
		return "data race: written while it may be read";
	if (model->place[place].readers == 0)
		return NULL;
	model->place[place].readers = 0;
	FOR_EACH_VIEW(model, view, view->known[place] = 0);
	return NULL;
}

static const char *
write_behind(struct model *model, unsigned thread, unsigned place,
    unsigned index, struct interleave_access *access)
{
	struct model_view *current = &model->current[thread];
	const char *wrong = check_readers(model, thread, place);
	struct model_view before = { 0 };

	if (wrong != NULL)
		return wrong;
	/* An update carries on what it read: a release sequence. */
	if (is_update(access->kind))
		before = model->write[first_of(model, place) + index].view;
	struct model_write *write = insert_write(model, place, index + 1);
	if (write == NULL)
		return "explorer: too many writes are kept";
	current->seen[place] = (uint8_t)(index + 1);
	join(&model->acquired[thread], current);
	write->value = access->value;
	write->attached = is_update(access->kind);
	write->view = access->order == __ATOMIC_RELAXED ||
	    access->order == __ATOMIC_ACQUIRE ? model->released[thread] :
	    *current;
	write->view.seen[place] = (uint8_t)(index + 1);
	if (is_update(access->kind))
		join(&write->view, &before);
	return NULL;
}

static void
full_fence(struct model *model, unsigned thread)
{
	join(&model->current[thread], &model->acquired[thread]);
	join(&model->current[thread], &model->common);
	model->common = model->current[thread];
	model->acquired[thread] = model->current[thread];
	model->released[thread] = model->current[thread];
}

static void
fence(struct model *model, unsigned thread, int order)
{
	if (order == __ATOMIC_SEQ_CST)
		full_fence(model, thread);
	if (order == __ATOMIC_ACQUIRE || order == __ATOMIC_ACQ_REL)
		join(&model->current[thread], &model->acquired[thread]);
	if (order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL)
		model->released[thread] = model->current[thread];
}

/* Data: only the newest write counts, and it must have been seen. */
static const char *
access_data(struct model *model, unsigned thread, unsigned place,
    struct interleave_access *access)
{
	unsigned last = model->place[place].count - 1u;
	struct model_view *view;
	uint8_t self = (uint8_t)(1u << thread);

	if (model->current[thread].seen[place] != last)
		return access->kind == INTERLEAVE_GET ?
		    "data race: read while it may be written" :
		    "data race: written by two";
	if (access->kind == INTERLEAVE_PUT) {
		access->order = __ATOMIC_RELAXED;
		return write_behind(model, thread, place, last, access);
	}
	access->result = model->write[first_of(model, place) + last].value;
	/* Who knew of a read before does not know of this one. */
	FOR_EACH_VIEW(model, view, view->known[place] &= (uint8_t)~self);
	model->current[thread].known[place] |= self;
	model->acquired[thread].known[place] |= self;
	model->place[place].readers |= self;
	return NULL;
}

uint64_t
model_updated_value(const struct interleave_access *access)
{
	if (access->kind == INTERLEAVE_OR)
		return access->result | access->value;
	if (access->kind == INTERLEAVE_AND)
		return access->result & access->value;
	return access->value;
}

static const char *
access_word(struct model *model, unsigned thread, unsigned place,
    struct interleave_access *access, unsigned option)
{
	unsigned index = choose(model, thread, place, access, &option);

	if (access->kind == INTERLEAVE_STORE)
		return write_behind(model, thread, place, index, access);
	access->result = model->write[first_of(model, place) + index].value;
	bool writes = is_update(access->kind) &&
	    (access->kind != INTERLEAVE_SWAP_IF ||
	    access->result == access->expected);
	learn_read(model, thread, place, index, access->kind ==
	    INTERLEAVE_SWAP_IF && !writes ? __ATOMIC_RELAXED : access->order);
	if (!writes)
		return NULL;
	access->value = model_updated_value(access);
	return write_behind(model, thread, place, index, access);
}

const char *
model_apply(struct model *model, unsigned thread,
    struct interleave_access *access, unsigned option)
{
	if (access->kind == INTERLEAVE_FENCE) {
		fence(model, thread, access->order);
		return NULL;
	}
	unsigned place = find_place(access->address, access->size);
	if (place == MODEL_PLACES)
		return "explorer: too many places, or they overlap";
	if (!make_place_real(model, place))
		return "explorer: too many writes are kept";
	if (access->kind == INTERLEAVE_GET || access->kind == INTERLEAVE_PUT)
		return access_data(model, thread, place, access);
	if (access->kind == INTERLEAVE_WAKE ||
	    access->kind == INTERLEAVE_SLEEP) {
		/* The kernel's own barriers; it looks at what is newest. */
		unsigned last = model->place[place].count - 1u;
		full_fence(model, thread);
		if (access->kind == INTERLEAVE_SLEEP)
			learn_read(model, thread, place, last,
			    __ATOMIC_RELAXED);
		access->result =
		    model->write[first_of(model, place) + last].value;
		return NULL;
	}
	return access_word(model, thread, place, access, option);
}

static void
drop_writes(struct model *model, unsigned place, unsigned count)
{
	unsigned at = first_of(model, place);
	struct model_view *view;

	memmove(&model->write[at], &model->write[at + count],
	    (model->writes - at - count) * sizeof(model->write[0]));
	model->writes -= count;
	model->place[place].count -= (uint8_t)count;
	model->write[at].attached = 0;
	FOR_EACH_VIEW(model, view, view->seen[place] = (uint8_t)
	    (view->seen[place] > count ? view->seen[place] - count : 0));
}

void
model_tidy(struct model *model, unsigned threads)
{
	for (unsigned place = 0; place < place_count; place++) {
		unsigned least = model->place[place].count;
		if (least <= 1)
			continue;
		least--;
		for (unsigned i = 0; i < MODEL_THREADS; i++) {
			unsigned seen = model->current[i].seen[place];
			if ((threads >> i & 1) != 0 && seen < least)
				least = seen;
		}
		if (least > 0)
			drop_writes(model, place, least);
	}
}

void
model_learn(struct model *model, unsigned to, unsigned from)
{
	join(&model->current[to], &model->current[from]);
	model->acquired[to] = model->current[to];
	model->released[to] = model->current[to];
}
