/* SPDX-License-Identifier: MIT */
/*
 * The boot archive: manifests, images and options. Mapped read-only on first
 * use by each incarnation.
 */
#include "phoenix.h"

#include <lib/base/string.h>
#include <lib/cpio/cpio.h>

#define ARCHIVE_VIEW	(PLACE_HEAP_BASE + 0x1000000000ul)
#define MANIFESTS	"bennu/manifest/"
#define OPTIONS		"bennu/options"

static uint64_t archive_size;

static void
archive_open(void)
{
	if (archive_size != 0)
		return;
	struct sys_result r = sys_invoke(SYS_MEMORY_INFO, POWER_ARCHIVE, 0, 0,
	    0, 0, 0);
	status_t status = r.status;
	if (status == OK)
		status = sys_map(service_info()->vspace, ARCHIVE_VIEW,
		    POWER_ARCHIVE, 0, r.value[0], MAP_READ);
	if (status != OK)
		service_panic("no boot archive: status %lu", status);
	archive_size = r.value[0];
}

const void *
archive_file(const char *path, size_t *out_size)
{
	struct cpio_entry entry;

	archive_open();
	if (cpio_find((const void *)ARCHIVE_VIEW, archive_size, path,
	    &entry) != OK)
		return NULL;
	*out_size = entry.size;
	return entry.data;
}

static bool
is_manifest(const struct cpio_entry *entry)
{
	static const char tail[] = ".toml";
	size_t head_length = sizeof(MANIFESTS) - 1;
	size_t tail_length = sizeof(tail) - 1;

	return entry->name_length > head_length + tail_length &&
	    memcmp(entry->name, MANIFESTS, head_length) == 0 &&
	    strcmp(entry->name + entry->name_length - tail_length, tail) == 0;
}

const char *
archive_manifest(unsigned index, const char **out_text, size_t *out_size)
{
	struct cpio cpio;
	struct cpio_entry entry;

	archive_open();
	cpio_open(&cpio, (const void *)ARCHIVE_VIEW, archive_size);
	while (cpio_next(&cpio, &entry) == OK) {
		if (!is_manifest(&entry) || index-- != 0)
			continue;
		*out_text = (const char *)entry.data;
		*out_size = entry.size;
		return entry.name + sizeof(MANIFESTS) - 1;
	}
	return NULL;
}

status_t
archive_option(const char *key, char value[48])
{
	size_t size, key_length = strlen(key), used = 0;
	const char *text = archive_file(OPTIONS, &size);
	const char *end = text + size;

	if (text == NULL || key_length == 0)
		return ERR_NOENT;
	while (text < end) {
		const char *line = text;
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		if (stop == NULL)
			stop = end;
		text = stop + (stop < end);
		if ((size_t)(stop - line) <= key_length ||
		    memcmp(line, key, key_length) != 0 ||
		    line[key_length] != '=')
			continue;
		memset(value, 0, 48);
		for (line += key_length + 1; line < stop && used < 47; line++)
			value[used++] = *line;
		return OK;
	}
	return ERR_NOENT;
}
