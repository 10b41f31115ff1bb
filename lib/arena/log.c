/* SPDX-License-Identifier: MIT */
/*
 * The undo log (format in state.h).
 *
 * Order inside tx_add: expose, write the entry, barrier, store the commit
 * word, barrier; only then may the caller change the range. Processes die,
 * machines do not, so the order of the program is the order of the memory and
 * barriers for the compiler are enough.
 *
 * A word that is saved already is not saved again; the map of saved words
 * tells. A savepoint forgets them all: words that change after it are saved
 * once more, as they are at the savepoint. Its sums are brought up to date
 * first, so each entry counts for the sums once.
 */
#include <lib/arena/state.h>

#include <lib/base/checked.h>
#include <lib/base/string.h>

#define TAIL		sizeof(struct log_tail)
#define SAVE_MAX	512u	/* bytes of free memory that are just saved */
#define SUM_WORDS	(sizeof(struct page_sum) / WORD)

static void
store_commit(struct arena_header *header, uint64_t value)
{
	compiler_barrier();
	__atomic_store_n(&header->commit, value, __ATOMIC_RELEASE);
	compiler_barrier();
}

static inline void
expose(const struct arena *arena, void *start, size_t length)
{
	if (arena->environment.expose != NULL)
		arena->environment.expose(arena->environment.context, start,
		    length);
}

void
log_start_transaction(struct arena *arena)
{
	if (log_length(arena->header) != 0)
		arena_fail(arena, "the log is not empty");
	arena->freed.count = 0;
	arena->settled = 0;
	arena->has_savepoint = false;
}

void
log_add_freed(struct arena *arena, void *start, size_t length)
{
	struct range_set *set = &arena->freed;

	set->range[set->count++ % RANGE_SLOTS] = (struct range){
		(uintptr_t)start, (uintptr_t)start + length };
}

bool
log_was_freed(const struct arena *arena, const void *start, size_t length)
{
	uintptr_t low = (uintptr_t)start, high = low + length;

	if (arena->freed.count > RANGE_SLOTS)
		return true;
	for (unsigned i = 0; i < arena->freed.count; i++)
		if (arena->freed.range[i].start < high &&
		    low < arena->freed.range[i].end)
			return true;
	return false;
}

/* --- The map of saved words. --- */

/* Bits of up to CHUNK_WORDS words that lie in one chunk. */
static inline uint64_t
bits_of(uint64_t first, uint64_t count)
{
	return ~0ul >> (CHUNK_WORDS - count) << first % CHUNK_WORDS;
}

static uint64_t
chunk_end(uint64_t first, uint64_t end)
{
	uint64_t next = (first | (CHUNK_WORDS - 1)) + 1;

	return next < end ? next : end;
}

static void
map_set(struct arena_header *header, uint64_t first, uint64_t count, bool set)
{
	uint64_t *map = saved_map(header), end = first + count;

	while (first < end) {
		uint64_t next = chunk_end(first, end);
		uint64_t bits = bits_of(first, next - first);
		uint64_t *chunk = &map[first / CHUNK_WORDS];

		*chunk = set ? *chunk | bits : *chunk & ~bits;
		first = next;
	}
}

static bool
map_is_empty(const struct arena_header *header, uint64_t first,
    uint64_t count)
{
	const uint64_t *map = saved_map(header);
	uint64_t end = first + count;

	for (uint64_t next; first < end; first = next) {
		next = chunk_end(first, end);
		if ((map[first / CHUNK_WORDS] & bits_of(first, next - first)))
			return false;
	}
	return true;
}

/* --- Entries. --- */

/* Mostly a few; a call of memcpy would cost more. */
static inline void
copy_words(uint64_t *to, const uint64_t *from, uint64_t count)
{
	for (; count >= 4; count -= 4, to += 4, from += 4) {
		to[0] = from[0];
		to[1] = from[1];
		to[2] = from[2];
		to[3] = from[3];
		compiler_barrier();
	}
	for (; count > 0; count--) {
		*to++ = *from++;
		compiler_barrier();
	}
}

/* An entry for the words; does not set their bits. */
static inline status_t
append(struct arena *arena, const struct log_entry *entry,
    uint64_t data_count)
{
	struct arena_header *header = arena->header;
	uint64_t used = log_length(header);
	uint64_t size = data_count * WORD + TAIL;

	if (size > header->log_size - used)
		return ERR_NOMEM;
	if (used == 0)
		expose(arena, &header->commit, WORD);
	uint64_t *to = word_at(header, (header->log_start + used) / WORD);
	copy_words(to, entry->data, data_count);
	*(struct log_tail *)(to + data_count) = (struct log_tail){
		.offset = entry->first * WORD,
		.length_kind = entry->count * WORD | entry->kind,
	};
	store_commit(header, header->commit + size / LOG_UNIT);
	return OK;
}

static inline uint64_t
sum_word(const struct arena_header *header, uint64_t page)
{
	return header->sums_start / WORD + page * SUM_WORDS;
}

static inline bool
sum_is_saved(const struct arena_header *header, uint64_t page)
{
	uint64_t word = sum_word(header, page);

	return (saved_map(header)[word / CHUNK_WORDS] >> word % CHUNK_WORDS &
	    1) != 0;
}

/* A SAVED entry at that place of the log. */
static inline uint64_t *
put_saved(const uint64_t *words, uint64_t *to, uint64_t first, uint64_t count)
{
	copy_words(to, words + first, count);
	to += count;
	to[0] = first * WORD;
	to[1] = count * WORD | LOG_SAVED;
	return to + TAIL / WORD;
}

/*
 * Saves words of one chunk that have no entry. The first entry of a page since
 * the last savepoint comes behind one for the sum of the page; both are added
 * by one store. count may be 0, for the sum alone.
 */
static __attribute__((noinline)) status_t
save_with_sum(struct arena *arena, uint64_t first, uint64_t count)
{
	struct arena_header *header = arena->header;
	uint64_t used = header->commit & LOG_MASK;
	uint64_t *start = arena->log + used, *to = start;
	uint64_t sum = arena->sums_first + first / PAGE_WORDS * SUM_WORDS;

	if (count + 2 * TAIL / WORD + SUM_WORDS > arena->log_words - used)
		return ERR_NOMEM;
	if (used == 0)
		expose(arena, &header->commit, WORD);
	to = put_saved(arena->words, to, sum, SUM_WORDS);
	if (count != 0)
		to = put_saved(arena->words, to, first, count);
	store_commit(header, header->commit + (uint64_t)(to - start));
	/* Sums lie at even words: both in one chunk. */
	arena->map[sum / CHUNK_WORDS] |= 3ul << sum % CHUNK_WORDS;
	if (count == 0)
		return OK;
	arena->map[first / CHUNK_WORDS] |= bits_of(first, count);
	expose(arena, arena->words + first, count * WORD);
	return OK;
}

static inline bool
needs_sum(const struct arena *arena, uint64_t first)
{
	uint64_t sum = arena->sums_first + first / PAGE_WORDS * SUM_WORDS;

	return arena->sums != NULL && (arena->map[sum / CHUNK_WORDS] >>
	    sum % CHUNK_WORDS & 1) == 0;
}

/* The bits are those of the words. */
static inline status_t
save_run(struct arena *arena, uint64_t first, uint64_t count, uint64_t bits)
{
	struct arena_header *header = arena->header;
	uint64_t commit = header->commit, used = commit & LOG_MASK;

	if (needs_sum(arena, first))
		return save_with_sum(arena, first, count);
	if (count + TAIL / WORD > arena->log_words - used)
		return ERR_NOMEM;
	if (used == 0)
		expose(arena, &header->commit, WORD);
	put_saved(arena->words, arena->log + used, first, count);
	store_commit(header, commit + count + TAIL / WORD);
	arena->map[first / CHUNK_WORDS] |= bits;
	expose(arena, arena->words + first, count * WORD);
	return OK;
}

/* May a transaction change it: root, heap heads, heap? */
static bool
may_change(const struct arena_header *header, uint64_t offset, uint64_t length)
{
	if (offset >= header->heap_start)
		return checked_within(offset, length, header->size);
	return offset >= HEADER_CHANGES && checked_within(offset -
	    HEADER_CHANGES, length, sizeof(*header) - HEADER_CHANGES);
}

/* A range of many chunks that does not fit is refused before it fills the log. */
static bool
fits(const struct arena *arena, uint64_t first, uint64_t end)
{
	const struct arena_header *header = arena->header;
	const uint64_t *map = saved_map(header);
	uint64_t need = 0;

	for (uint64_t next; first < end; first = next) {
		next = chunk_end(first, end);
		uint64_t bits = bits_of(first, next - first) &
		    ~map[first / CHUNK_WORDS];
		uint64_t runs = bits & ~(bits << 1);

		need += (uint64_t)__builtin_popcountl(bits) * WORD +
		    (uint64_t)__builtin_popcountl(runs) * TAIL;
		if (bits != 0 && header->summed != 0 &&
		    !sum_is_saved(header, first / PAGE_WORDS))
			need += SUM_WORDS * WORD + TAIL;
	}
	return need <= header->log_size - log_length(header);
}

/* The words of these bits in one chunk, run by run. */
static status_t
save_chunk(struct arena *arena, uint64_t chunk, uint64_t bits)
{
	status_t status = OK;

	while (bits != 0 && status == OK) {
		unsigned low = (unsigned)__builtin_ctzl(bits);
		uint64_t rest = ~(bits >> low);
		unsigned count = rest == 0 ? CHUNK_WORDS :
		    (unsigned)__builtin_ctzl(rest);

		uint64_t run = bits_of(low, count);

		status = save_run(arena, chunk * CHUNK_WORDS + low, count,
		    run);
		bits &= ~run;
	}
	return status;
}

static __attribute__((noinline)) status_t
add_range(struct arena *arena, uint64_t offset, uint64_t length)
{
	const uint64_t *map = saved_map(arena->header);

	if (!arena->open)
		arena_fail(arena, "tx_add outside a transaction");
	if (!may_change(arena->header, offset, length))
		arena_fail(arena, "tx_add of foreign memory");
	uint64_t first = offset / WORD;
	uint64_t end = length == 0 ? first : (offset + length + WORD - 1) /
	    WORD;
	if (length > SAVE_MAX && !fits(arena, first, end))
		return ERR_NOMEM;
	for (uint64_t next; first < end; first = next) {
		next = chunk_end(first, end);
		uint64_t missing = bits_of(first, next - first) &
		    ~map[first / CHUNK_WORDS];
		status_t status = save_chunk(arena, first / CHUNK_WORDS,
		    missing);
		if (status != OK)
			return status;
	}
	return OK;
}

/*
 * Saves whole words. What lies beside the range is undone to what it is now, if
 * it changes in this transaction at all. Bits are only set of words that may be
 * changed, in a transaction: so nothing else need be asked about these.
 */
status_t
tx_add(struct arena *arena, void *pointer, size_t length)
{
	uint64_t offset = (uintptr_t)pointer - (uintptr_t)arena->header;
	uint64_t first = offset / WORD, last = (offset + length - 1) / WORD;

	if (first / CHUNK_WORDS == last / CHUNK_WORDS &&
	    offset < arena->size && length != 0) {
		uint64_t bits = (2ul << last % CHUNK_WORDS) -
		    (1ul << first % CHUNK_WORDS);
		uint64_t saved = bits & arena->map[first / CHUNK_WORDS];
		if (saved == bits)
			return OK;
		/* A chunk of the heap ends where the heap does, or before. */
		if (saved == 0 && offset >= arena->heap_start && arena->open)
			return save_run(arena, first, last - first + 1, bits);
	}
	return add_range(arena, offset, length);
}

/* --- Memory whose content does not matter. --- */

static void
zero_words(struct arena_header *header, uint64_t first, uint64_t count)
{
	memset(word_at(header, first), 0, count * WORD);
}

static bool
are_zero(const struct arena_header *header, uint64_t first, uint64_t count)
{
	const uint64_t *value = word_at(header, first);

	for (uint64_t i = 0; i < count; i++)
		if (value[i] != 0)
			return false;
	return true;
}

/* The words leave the sum of their page, which has no entry yet. */
static status_t
clean(struct arena *arena, uint64_t first, uint64_t count)
{
	struct arena_header *header = arena->header;
	uint64_t page = first / PAGE_WORDS;
	struct page_sum *sum = sum_of_page(header, page), rest = *sum;
	unsigned __int128 old = sum_of_words(header, first, count);
	struct log_entry entry = { .data = &rest.low, .first = first,
		.count = count, .kind = LOG_CLEAN };

	old = ((unsigned __int128)rest.high << 64 | rest.low) - old;
	rest = (struct page_sum){ (uint64_t)old, (uint64_t)(old >> 64) };
	status_t status = append(arena, &entry, SUM_WORDS);
	if (status != OK)
		return status;
	map_set(header, first, count, true);
	/* The entry restores this sum, so it is as good as saved. */
	map_set(header, sum_word(header, page), SUM_WORDS, true);
	expose(arena, word_at(header, first), count * WORD);
	zero_words(header, first, count);
	compiler_barrier();
	*sum = rest;
	return OK;
}

/* An entry without data. */
static status_t
append_bare(struct arena *arena, unsigned kind, uint64_t first,
    uint64_t count)
{
	struct log_entry entry = { .first = first, .count = count,
		.kind = kind };
	status_t status = append(arena, &entry, 0);

	if (status != OK)
		return status;
	map_set(arena->header, first, count, true);
	expose(arena, word_at(arena->header, first), count * WORD);
	return OK;
}

/* Of an arena with sums; the words lie in one page. */
static status_t
take_in_page(struct arena *arena, uint64_t first, uint64_t count, bool zero)
{
	struct arena_header *header = arena->header;
	uint64_t page = first / PAGE_WORDS;
	bool large = count * WORD > SAVE_MAX &&
	    map_is_empty(header, first, count);
	status_t status;

	if (large && are_zero(header, first, count)) {
		status = sum_is_saved(header, page) ? OK :
		    save_with_sum(arena, first, 0);
		return status != OK ? status :
		    append_bare(arena, LOG_ZERO, first, count);
	}
	/*
	 * Undoing a cleaning sets the sum of the page. So it must be the first
	 * entry of its page, and the only cleaning.
	 */
	if (large && !arena->has_savepoint && !sum_is_saved(header, page))
		return clean(arena, first, count);
	status = tx_add(arena, word_at(header, first), count * WORD);
	if (status == OK && zero)
		zero_words(header, first, count);
	return status;
}

static status_t
take_without_sums(struct arena *arena, uint64_t first, uint64_t count,
    bool zero)
{
	status_t status = map_is_empty(arena->header, first, count) ?
	    append_bare(arena, LOG_FREE, first, count) :
	    tx_add(arena, word_at(arena->header, first), count * WORD);

	if (status == OK && zero)
		zero_words(arena->header, first, count);
	return status;
}

status_t
log_take(struct arena *arena, void *start, uint64_t length, bool zero)
{
	struct arena_header *header = arena->header;
	uint64_t first = ((uintptr_t)start - (uintptr_t)header) / WORD;
	uint64_t end = first + length / WORD;
	status_t status = OK;

	if (first == end)
		return OK;
	if (header->summed == 0)
		return take_without_sums(arena, first, end - first, zero);
	while (first < end && status == OK) {
		uint64_t next = (first / PAGE_WORDS + 1) * PAGE_WORDS;
		if (next > end)
			next = end;
		status = take_in_page(arena, first, next - first, zero);
		first = next;
	}
	return status;
}

static bool
is_plain(const struct arena_header *header, uint64_t offset, uint64_t length)
{
	return offset >= header->plain_start && checked_within(offset -
	    header->plain_start, length, header->plain_length);
}

status_t
tx_unused(struct arena *arena, void *pointer, size_t length)
{
	uint64_t offset = (uintptr_t)pointer - (uintptr_t)arena->header;

	if (!arena->open)
		arena_fail(arena, "tx_unused outside a transaction");
	if (!may_change(arena->header, offset, length))
		arena_fail(arena, "tx_unused of foreign memory");
	if (arena->header->summed == 0 || is_plain(arena->header, offset,
	    length)) {
		expose(arena, pointer, length);
		return OK;
	}
	if (length <= SAVE_MAX || (offset | length) % WORD != 0)
		return tx_add(arena, pointer, length);
	return log_take(arena, pointer, length, false);
}

/* --- The ends of a transaction. --- */

/* The words count as not saved. */
static void
forget(struct arena_header *header, const struct log_entry *entry)
{
	map_set(header, entry->first, entry->count, false);
	if (entry->kind == LOG_CLEAN)
		map_set(header, sum_word(header, entry->first / PAGE_WORDS),
		    SUM_WORDS, false);
}

/* An entry of another kind; returns its start. */
static const uint64_t *
settle_taken(struct arena *arena, const uint64_t *end)
{
	struct arena_header *header = arena->header;
	uint64_t used = (uint64_t)(end - arena->log) * WORD;
	struct log_entry entry;

	if (!log_entry_at(header, used, &entry))
		arena_fail(arena, "the undo log is damaged");
	if (arena->sums != NULL)
		sum_add(&arena->sums[entry.first / PAGE_WORDS],
		    sum_of_words(header, entry.first, entry.count));
	forget(header, &entry);
	return end - entry.size / WORD;
}

/* Each request comes here: entries are our own and not checked again. */
void
log_settle(struct arena *arena)
{
	uint64_t used = arena->header->commit & LOG_MASK;
	const uint64_t *end = arena->log + used;
	const uint64_t *stop = arena->log + arena->settled / WORD;

	while (end > stop) {
		uint64_t first = end[-2] / WORD, count = end[-1] / WORD;

		if ((end[-1] & LOG_KIND) != LOG_SAVED) {
			end = settle_taken(arena, end);
			continue;
		}
		end -= count + TAIL / WORD;
		/* All entries of the chunk go, so all its bits. */
		arena->map[first / CHUNK_WORDS] = 0;
		/* Sums have entries, but no sum of their own. */
		if (arena->sums == NULL ||
		    first - arena->sums_first < arena->sums_words)
			continue;
		sum_add(&arena->sums[first / PAGE_WORDS], sum_of_change(
		    arena->words + first, end, first, count));
	}
	arena->settled = used * WORD;
}

void
log_commit(struct arena *arena)
{
	struct arena_header *header = arena->header;
	uint64_t commits = header->commit >> COMMIT_SHIFT;

	/* Nothing was changed: nothing to store, no page to expose. */
	if (log_length(header) == 0)
		return;
	log_settle(arena);
	store_commit(header, (commits + 1) << COMMIT_SHIFT);
}

/* Could such an entry have been written? */
static bool
words_ok(const struct arena_header *header, const struct log_entry *entry)
{
	uint64_t offset = entry->first * WORD, length = entry->count * WORD;
	uint64_t last = entry->first + entry->count - 1;

	switch (entry->kind) {
	case LOG_SAVED:
		if (entry->first / CHUNK_WORDS != last / CHUNK_WORDS)
			return false;
		return may_change(header, offset, length) ||
		    (header->summed != 0 && offset >= header->sums_start &&
		    offset + length <= header->map_start);
	case LOG_ZERO:
	case LOG_CLEAN:
		return header->summed != 0 && offset >= header->heap_start &&
		    entry->first / PAGE_WORDS == last / PAGE_WORDS &&
		    may_change(header, offset, length);
	default:
		return entry->kind == LOG_FREE && header->summed == 0 &&
		    offset >= header->heap_start &&
		    may_change(header, offset, length);
	}
}

bool
log_entry_at(const struct arena_header *header, uint64_t used,
    struct log_entry *out_entry)
{
	const uint8_t *end = (const uint8_t *)header + header->log_start + used;
	struct log_tail tail;
	struct log_entry entry;

	if (used < TAIL)
		return false;
	memcpy(&tail, end - TAIL, TAIL);
	entry.kind = (unsigned)(tail.length_kind & LOG_KIND);
	entry.first = tail.offset / WORD;
	entry.count = tail.length_kind / WORD;
	if (tail.offset % WORD != 0 || tail.offset >= header->size ||
	    entry.count == 0 || entry.count > header->size / WORD)
		return false;
	uint64_t data = entry.kind == LOG_SAVED ? entry.count :
	    entry.kind == LOG_CLEAN ? SUM_WORDS : 0;
	entry.size = data * WORD + TAIL;
	if (entry.size > used || !words_ok(header, &entry))
		return false;
	entry.data = (const uint64_t *)(const void *)(end - entry.size);
	*out_entry = entry;
	return true;
}

bool
log_ok(const struct arena_header *header)
{
	uint64_t used = log_length(header);
	struct log_entry entry;

	if (used > header->log_size)
		return false;
	for (; used > 0; used -= entry.size)
		if (!log_entry_at(header, used, &entry))
			return false;
	return true;
}

static void
undo(struct arena_header *header, const struct log_entry *entry)
{
	switch (entry->kind) {
	case LOG_SAVED:
		memcpy(word_at(header, entry->first), entry->data,
		    entry->count * WORD);
		break;
	case LOG_ZERO:
	case LOG_CLEAN:
		zero_words(header, entry->first, entry->count);
		if (entry->kind == LOG_CLEAN)
			memcpy(sum_of_page(header, entry->first / PAGE_WORDS),
			    entry->data, sizeof(struct page_sum));
		break;
	}
	forget(header, entry);
}

bool
log_roll_back(struct arena_header *header, uint64_t length)
{
	struct log_entry entry;
	uint64_t used;

	while ((used = log_length(header)) > length) {
		if (!log_entry_at(header, used, &entry))
			return false;
		undo(header, &entry);
		store_commit(header, header->commit - entry.size / LOG_UNIT);
	}
	return used == length;
}
