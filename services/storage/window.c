/* SPDX-License-Identifier: MIT */
/*
 * Windows of the caller. The kernel refuses copies beyond the end of a window
 * with ERR_RANGE but does not tell where that is. The caller may say so in a
 * word of its own; if it does not, the end is searched with copies of no
 * bytes.
 */
#include "shell.h"

#define LENGTH_WORD	7u	/* of window 0; that of window 1 before it */

static char paths[2][STORAGE_PATH_MAX];

unsigned
window_error(status_t status)
{
	switch (status) {
	case OK:
		return 0;
	case ERR_FAULT:
	case ERR_RIGHT:
		return E_FAULT;
	case ERR_NOMEM:
	case ERR_LIMIT:
		return E_NOSPC;
	case ERR_GONE:
		return E_INTR;
	default:
		return E_INVAL;
	}
}

/* Can a copy to or from this place begin? */
static bool
reaches(const struct request *request, uint64_t selector, uint64_t offset)
{
	return sys_invoke(SYS_WINDOW_COPY, request->call->reply, selector,
	    offset, CAP_NONE, 0, 0).status == OK;
}

static uint64_t
search_end(const struct request *request, uint64_t selector, uint64_t limit)
{
	uint64_t low = 0, high = limit;

	while (low < high) {
		uint64_t middle = low + (high - low + 1) / 2;

		if (reaches(request, selector, middle))
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static uint64_t
told_length(const struct request *request, unsigned window)
{
	return request->word[LENGTH_WORD - window];
}

unsigned
window_length(const struct request *request, unsigned window, uint64_t limit,
    uint64_t *out_length)
{
	uint64_t told = told_length(request, window);

	if (told == 0)
		told = search_end(request, window | WINDOW_TO_CALLER, limit);
	*out_length = told < limit ? told : limit;
	return 0;
}

static unsigned
short_path(const struct request *request, struct storage_path *out_path)
{
	uint64_t length = request->word[LENGTH_WORD] & ~STORAGE_SHORT;

	if (length > STORAGE_SHORT_MAX)
		return E_NAMETOOLONG;
	*out_path = (struct storage_path){ (const char *)&request->word[3],
	    length };
	return 0;
}

unsigned
window_path(const struct request *request, unsigned window,
    struct storage_path *out_path)
{
	uint64_t length = told_length(request, window);
	char *text = paths[window];

	if (request->call->windows == 0)
		return short_path(request, out_path);

	if (length == 0)
		length = search_end(request, window | WINDOW_FROM_CALLER,
		    STORAGE_PATH_MAX);
	if (length >= STORAGE_PATH_MAX)
		return E_NAMETOOLONG;
	*out_path = (struct storage_path){ text, length };
	if (length == 0)
		return 0;
	return window_error(sys_window_copy(request->call->reply,
	    window | WINDOW_FROM_CALLER, 0, CAP_NONE, (uint64_t)text, length,
	    NULL));
}

unsigned
window_put(const struct request *request, unsigned window, const void *data,
    uint64_t length)
{
	if (length == 0)
		return 0;
	return window_error(sys_window_copy(request->call->reply,
	    window | WINDOW_TO_CALLER, 0, CAP_NONE, (uint64_t)data, length,
	    NULL));
}
